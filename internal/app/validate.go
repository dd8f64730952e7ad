package app

import (
	"context"
	"fmt"
)

func runValidate(_ context.Context, c Call, _ []string) int {
	fmt.Fprintln(c.Stderr, "validate")
	return exitUsage
}
