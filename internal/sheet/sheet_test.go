package sheet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hqms-sidecar/hqms-sidecar/internal/sheet"
)

func TestCellsThatASpreadsheetWouldRunAreMadeText(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"=1+1", "+1", "+cmd|' /C calc'!A0", "-1+1", "-cmd|'/c calc'!A1", "@SUM(A1)", "\t=1", "\tx", "\r=1", "\r\n=1", "\n=1",
		" =1", "   -2+3", "\u3000=1", "\u00a0@x", "\ufeff=1", "\u200b=1", "\u202e=1", "\x00=1", "\v+1",
		"＝1", "＋1", "－1+1", "＠x", " ＝1", "﹦1", "−1+1", "-", "-1-", "--1", "-1e5", "-1,5", "- 1", "-0x1", "-1\n=1", "-１", "=", "-1234567890123456",
	} {
		if got := sheet.Cell(hostile); got != "'"+hostile {
			t.Errorf("%q became %q", hostile, got)
		}
		if once := sheet.Cell(hostile); sheet.Cell(once) != once {
			t.Errorf("%q is changed twice", hostile)
		}
	}
	for _, harmless := range []string{"", "P7506", "性别", "a=1", "1-1", "2026-11-29", "-1", "-1.5", "-120000", "sha-256:aa", " ", "x\n=1", "http://a/?b=c", "\xff\xfe"} {
		if got := sheet.Cell(harmless); got != harmless {
			t.Errorf("%q became %q", harmless, got)
		}
	}
}

func TestEveryCellIsMadeSafeAndExcelIsToldThatItIsUTF8(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := sheet.Write(&b, [][]string{{"=head", "文件"}, {"a,b", `=HYPERLINK("x")`}}); err != nil {
		t.Fatal(err)
	}
	if want := "\ufeff'=head,文件\r\n\"a,b\",\"'=HYPERLINK(\"\"x\"\")\"\r\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

type full struct{ after int }

func (f *full) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestWhatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	for after := range 2 {
		if err := sheet.Write(&full{after}, [][]string{{strings.Repeat("x", 1<<16)}}); err == nil {
			t.Errorf("after %d writes nobody says that the rest is missing", after)
		}
	}
}
