package client

import (
	"errors"
	"iter"

	"github.com/counterfoil/counterfoil"
)

// longestPage is how many entries the server gives at once at most.
const longestPage = 200

// follow yields every entry of a list, page by page, from cursor on. It stops at the first error, which it yields.
func follow[T any](cursor string, read func(cursor string) (counterfoil.Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		seen := map[string]bool{cursor: true}
		for cursor := cursor; ; {
			page, err := read(cursor)
			if err == nil && page.NextCursor != nil && seen[*page.NextCursor] {
				err = errors.New("the server's list does not move on")
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, entry := range page.Data {
				if !yield(entry, nil) {
					return
				}
			}
			if page.NextCursor == nil {
				return
			}
			cursor = *page.NextCursor
			seen[cursor] = true
		}
	}
}

// collect gathers what follow yields; of a list that fails, nothing.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	all := []T{}
	for entry, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, entry)
	}
	return all, nil
}
