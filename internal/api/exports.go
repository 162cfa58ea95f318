package api

import "github.com/counterfoil/counterfoil"

func (c *call) readExport() (a counterfoil.SplunkExport, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.SplunkExport(c.r.Context(), c.caller, org)
}

func (c *call) writeExport(d counterfoil.SplunkExportDraft) (a counterfoil.SplunkExport, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.SetSplunkExport(c.r.Context(), c.caller, org, d)
}

func (c *call) deleteExport() (none, error) {
	org, err := c.org()
	if err != nil {
		return none{}, err
	}
	return none{}, c.Registry.DeleteSplunkExport(c.r.Context(), c.caller, org)
}

func (c *call) testExport() (a counterfoil.ExportTest, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.TestSplunkExport(c.r.Context(), c.caller, org)
}
