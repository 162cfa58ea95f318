package api

import "github.com/counterfoil/counterfoil"

func (c *call) readRetention() (a counterfoil.Retention, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Retention(c.r.Context(), c.caller, org)
}

func (c *call) writeRetention(e counterfoil.RetentionEdit) (a counterfoil.Retention, err error) {
	return c.setRetention(&e.Days)
}

func (c *call) unsetRetention() (none, error) {
	_, err := c.setRetention(nil)
	return none{}, err
}

func (c *call) setRetention(days *int64) (a counterfoil.Retention, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.SetRetention(c.r.Context(), c.caller, org, days)
}
