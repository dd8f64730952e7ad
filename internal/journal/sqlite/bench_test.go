package sqlite_test

import (
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/journal/journaltest"
)

func BenchmarkUpload(b *testing.B) { journaltest.Bench(b, open) }

func BenchmarkUploadsSideBySide(b *testing.B) { journaltest.BenchSideBySide(b, open) }

func BenchmarkClaimBesideThousandWaiting(b *testing.B) { journaltest.BenchClaim(b, open, 1000) }

func BenchmarkList(b *testing.B) { journaltest.BenchList(b, open) }

func BenchmarkHolder(b *testing.B) { journaltest.BenchHolder(b, open) }
