package journal

import "context"

// ForgetLeases frees every upload that is claimed. It is for the start of a
// process that has the journal to itself: whoever held a lease is dead. Fences
// grow all the same, so that even one wrongly taken for dead can write nothing.
func (j *Journal) ForgetLeases(ctx context.Context) error {
	const op = "forget leases"
	if err := j.begin(op); err != nil {
		return err
	}
	return j.fail(op, j.transact(ctx, func(t txn) error {
		_, err := t.exec(ctx, `UPDATE uploads SET lease_owner = NULL, lease_until = NULL, fence = fence + 1
			WHERE `+isOpen()+` AND lease_owner IS NOT NULL`)
		return err
	}))
}
