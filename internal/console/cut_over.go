package console

import (
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

// quietEnough is how long nobody may have used a token's old value for its end to be offered as harmless.
const quietEnough = 10 * time.Minute

// quietFor says for how long nobody has used a token's old value; false: somebody has, too lately.
func quietFor(old *counterfoil.PreviousValue, now time.Time) bool {
	return old.LastUsed == nil || now.Sub(old.LastUsed.At) >= quietEnough
}

// oldValueWords says whether an old value is still used.
func oldValueWords(old *counterfoil.PreviousValue, now time.Time) string {
	switch {
	case old.LastUsed == nil:
		return "Nobody has used the old value since the rotation."
	case quietFor(old, now):
		return "Nobody has used the old value for " + length(now.Sub(old.LastUsed.At)) + "."
	}
	words := "The old value is still used, the last time " + relative(now, old.LastUsed.At)
	if old.LastUsed.IP != "" {
		words += " from " + old.LastUsed.IP
	}
	return words + "."
}

// askFinish asks whether the old value of a token that was rotated may end.
func (v *visit) askFinish() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	old, err := v.c.Registry.PreviousValue(v.r.Context(), v.caller(), v.org(), t.ID)
	if err != nil {
		return err
	}
	if old.ValidUntil == nil {
		return v.say(v.tokenPath(t, ""), "warn", "Its old value has ended already.", nil)
	}
	return v.show(200, "End the old value of "+t.Name, finishPage(v, t, &old))
}

// finish ends the old value; on condition that it is still quiet, where the page has said so.
func (v *visit) finish() error {
	t, err := v.findToken()
	if err != nil {
		return err
	}
	quiet, err := strconv.ParseInt(v.field("quiet"), 10, 64)
	if err != nil {
		quiet = int64(quietEnough / time.Second)
	}
	ended, err := v.c.Registry.EndPreviousValue(v.r.Context(), v.caller(), v.org(), t.ID, quiet)
	if err != nil {
		return v.refused(v.tokenPath(t, ""), err)
	}
	return v.say(v.tokenPath(t, ""), "good", "The old value has ended. The new one alone works.", ended.Receipt)
}
