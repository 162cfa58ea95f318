package identity

// Provision is a person whom an organization's identity provider vouches for.
type Provision struct {
	Email, Name string
	Roles       []string
	// Sync: the member has exactly Roles from now on; else Roles are those of a new member only.
	Sync bool
}
