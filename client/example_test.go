package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

func ExampleClient_CreateToken() {
	c := client.New("https://tokens.example.com", os.Getenv("COUNTERFOIL_TOKEN"))
	made, err := c.CreateToken(context.Background(), client.Current, counterfoil.Draft{
		Kind:        counterfoil.KindPersonal,
		Name:        "laptop",
		Permissions: []string{"devices:read"},
		ExpiresIn:   new(int64(30 * 24 * 60 * 60)),
	})
	var refused *counterfoil.Error
	if errors.As(err, &refused) {
		for _, p := range refused.Problems {
			fmt.Println(p.Pointer, p.Detail) // /permissions/0 …
		}
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(made.Secret) // shown this once
}

func ExampleClient_Tokens() {
	c := client.New("https://tokens.example.com", os.Getenv("COUNTERFOIL_TOKEN"))
	for token, err := range c.Tokens(context.Background(), "acme", client.TokenQuery{Sort: "expires_at"}) {
		if err != nil {
			log.Fatal(err)
		}
		if token.ExpiresAt == nil || time.Until(*token.ExpiresAt) > 7*24*time.Hour {
			break
		}
		fmt.Println(token.Name, token.Hint, "expires", token.ExpiresAt)
	}
}

// A policy is read, changed and written back only if nobody else has changed it.
func ExampleIfMatch() {
	ctx, c := context.Background(), client.New("https://tokens.example.com", os.Getenv("COUNTERFOIL_TOKEN"))
	var read, written client.Response
	policy, err := c.Policy(ctx, client.Current, counterfoil.KindPersonal, client.Into(&read))
	if err != nil {
		log.Fatal(err)
	}
	*policy.MaxLifetimeSeconds /= 2
	_, err = c.SetPolicy(ctx, client.Current, counterfoil.KindPersonal, policy.Edit(), client.IfMatch(read.ETag), client.Into(&written))
	if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeVersionMismatch}) {
		log.Fatal("somebody else has changed it; read it again")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in force: every node has confirmed it or stopped answering, after", written.Receipt.Took)
}
