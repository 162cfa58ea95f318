package console

import (
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

// quietEnough is how long nobody may have used a token's old value for its end to be offered as harmless.
const quietEnough = 10 * time.Minute

// quietFor says that nobody has used a token's old value for long enough; false: somebody has, or it was not watched for so long.
func quietFor(old *counterfoil.PreviousValue, now time.Time) bool {
	return old.WatchedSince != nil && now.Sub(*old.WatchedSince) >= quietEnough && (old.LastUsed == nil || now.Sub(old.LastUsed.At) >= quietEnough)
}

// oldValueState is the tone and the word for whether an old value is still used.
func oldValueState(old *counterfoil.PreviousValue, now time.Time) (tone, word string) {
	switch {
	case quietFor(old, now):
		return "good", "Quiet"
	case old.LastUsed == nil:
		return "warn", "Not known yet"
	}
	return "warn", "In use"
}

// oldValueWords says whether an old value is still used.
func oldValueWords(old *counterfoil.PreviousValue, now time.Time) string {
	switch {
	case old.WatchedSince == nil:
		return "An earlier version rotated this token: whether the old value is still used is not known."
	case old.LastUsed == nil:
		return "Nobody has used the old value since the rotation " + relative(now, *old.WatchedSince) + "."
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
