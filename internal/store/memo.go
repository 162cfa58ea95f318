package store

// memo remembers rows that many writes read alike: the caller's token, its member, the organization. It belongs to the
// one writer of SQLite, which sees every change: what it holds is what a SELECT would return at this point of its
// transaction. Where several writers run side by side there is none, and the nil memo remembers nothing.
type memo struct {
	tokens  map[string]Token
	members map[string]Member
	orgs    map[string]Organization
}

// memoRows bounds each kind of row.
const memoRows = 10_000

func newMemo() *memo {
	return &memo{tokens: map[string]Token{}, members: map[string]Member{}, orgs: map[string]Organization{}}
}

// forget forgets everything: after a change that is not of one token, and after whatever was undone.
func (m *memo) forget() {
	if m != nil {
		clear(m.tokens)
		clear(m.members)
		clear(m.orgs)
	}
}

func (m *memo) forgetToken(id string) {
	if m != nil {
		delete(m.tokens, id)
	}
}

func (m *memo) credentials() map[string]Token {
	if m == nil {
		return nil
	}
	return m.tokens
}

func (m *memo) people() map[string]Member {
	if m == nil {
		return nil
	}
	return m.members
}

func (m *memo) organizations() map[string]Organization {
	if m == nil {
		return nil
	}
	return m.orgs
}

// remembered returns the row under key, or reads it. A row that is not there is not remembered.
func remembered[T any](rows map[string]T, key string, read func() (T, bool, error)) (T, bool, error) {
	if row, ok := rows[key]; ok {
		return row, true, nil
	}
	row, found, err := read()
	if err == nil && found && rows != nil {
		if len(rows) >= memoRows {
			clear(rows)
		}
		rows[key] = row
	}
	return row, found, err
}
