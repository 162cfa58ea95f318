package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type providerCmd struct {
	Organizations providerOrganizationsCmd `cmd:"" help:"List the organizations that a provider manages."`
	Create        providerCreateCmd        `cmd:"" name:"create-organization" help:"Create an organization that a provider manages."`
	Assign        providerAssignCmd        `cmd:"" help:"Say in which organizations a technician acts."`
	Usage         providerUsageCmd         `cmd:"" help:"Show what they used, by month."`
	Adjust        providerAdjustCmd        `cmd:"" help:"Correct a final month of usage, in the report of the month that runs."`
	Keys          providerKeysCmd          `cmd:"" help:"List a provider's keys."`
	CreateKey     providerCreateKeyCmd     `cmd:"" help:"Make a key that signs a provider's requests."`
	RevokeKey     providerRevokeKeyCmd     `cmd:"" help:"Revoke a key, for good."`
}

type ofProvider struct {
	Provider string `placeholder:"PROVIDER" help:"The provider's id or slug; a system token must name one. Default: the token's own."`
}

type providerOrganizationsCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
}

func (providerOrganizationsCmd) Help() string {
	return "Example:\n\n\tcounterfoil provider organizations --provider northwind"
}

func (c *providerOrganizationsCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	all, err := collect(api.ManagedOrganizations(ctx, client.ManagedQuery{Provider: c.Provider, Limit: 200}))
	if err != nil {
		return err
	}
	return list(s, c.JSON, all, "It manages no organization.", []string{"ID", "SLUG", "NAME", "STATUS", "PLAN", "LICENSE", "ACTIVE SEATS", "PENDING SEATS"}, func(o counterfoil.ManagedOrganization) []string {
		return []string{o.ID, o.Slug, o.Name, string(o.Status), o.Plan, string(o.License), fmt.Sprint(o.Seats.Active), fmt.Sprint(o.Seats.Pending)}
	})
}

type providerUsageCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
	From       string `placeholder:"YYYY-MM" help:"The first month. Default: that of --to."`
	To         string `placeholder:"YYYY-MM" help:"The last month. Default: the one that runs."`
}

func (providerUsageCmd) Help() string {
	return "Example:\n\n\tcounterfoil provider usage --provider northwind"
}

func (c *providerUsageCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	all, err := collect(api.MonthlyUsage(ctx, client.UsageQuery{Provider: c.Provider, From: c.From, To: c.To, Limit: 200}))
	if err != nil {
		return err
	}
	return list(s, c.JSON, all, "No organization was managed then.", []string{"MONTH", "FINAL", "ORGANIZATION", "PLAN", "LICENSE", "BILLABLE", "WHY"}, func(u counterfoil.Usage) []string {
		final := "yes"
		if u.Provisional {
			final = "no"
		}
		return []string{u.Month, final, u.Organization.Name, u.Plan, string(u.License), strconv.Itoa(u.Licenses.Billable), u.BillableReason}
	})
}

type providerKeysCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
}

func (providerKeysCmd) Help() string {
	return "Example:\n\n\tcounterfoil provider keys --provider northwind"
}

func (c *providerKeysCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	keys, err := collect(api.ProviderKeys(ctx, client.ProviderKeyQuery{Provider: c.Provider, Limit: 200}))
	if err != nil {
		return err
	}
	return list(s, c.JSON, keys, "No keys.", []string{"ID", "NAME", "ALGORITHM", "STATUS", "CREATED"}, func(k counterfoil.ProviderKey) []string {
		status := "live"
		if k.RevokedAt != nil {
			status = "revoked"
		}
		return []string{k.ID, k.Name, string(k.Algorithm), status, exactly(&k.CreatedAt, "")}
	})
}

type providerCreateKeyCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
	Name       string `required:"" placeholder:"NAME" help:"What it is for."`
	Algorithm  string `enum:",EdDSA,ES256,RS256" default:"" placeholder:"ALGORITHM" help:"EdDSA (Ed25519), ES256 or RS256. Default EdDSA."`
	KeyFile    string `required:"" placeholder:"FILE" help:"Where the private key is written; a file that is there is not touched."`
}

func (providerCreateKeyCmd) Help() string {
	return "The private key is written to the file and is nowhere else.\n\nExample:\n\n\tcounterfoil provider create-key --provider northwind --name billing --key-file billing.pem"
}

func (c *providerCreateKeyCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(c.KeyFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the file for the private key: %w", err)
	}
	k, err := api.CreateProviderKey(ctx, counterfoil.ProviderKeyDraft{Name: c.Name, Algorithm: counterfoil.KeyAlgorithm(c.Algorithm), Provider: c.Provider})
	if err != nil {
		file.Close()
		os.Remove(c.KeyFile)
		return err
	}
	_, err = file.WriteString(k.PrivateKey)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("key %s was made, but its private half could not be written: revoke it. %w", k.ID, err)
	}
	if c.JSON {
		return s.json(k.ProviderKey)
	}
	return s.details("key id", k.KeyID, "issuer", k.Issuer, "audience", k.Audience, "algorithm", string(k.Algorithm), "private key", c.KeyFile)
}

type providerRevokeKeyCmd struct {
	remote     `embed:""`
	ofProvider `embed:""`
	sure       `embed:""`
	Key        string `arg:"" help:"The key's id."`
}

func (providerRevokeKeyCmd) Help() string {
	return "On a terminal it asks first.\n\nExample:\n\n\tcounterfoil provider revoke-key --provider northwind key_01a208c5fa5372ac8e1e947cdc580fae"
}

func (c *providerRevokeKeyCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	err = c.confirm(s, func() (string, error) {
		return fmt.Sprintf("Revoke the key %s? Every program that signs with it is refused at once, and it cannot be undone.", printable(c.Key)), nil
	})
	if err != nil {
		return err
	}
	var answer client.Response
	if err := api.RevokeProviderKey(ctx, c.Provider, c.Key, client.Into(&answer)); err != nil {
		return err
	}
	return s.gone(ctx, c.JSON, answer.Receipt, "Revoked the key %s.", c.Key)
}
