package observe

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestALimitOfOpenFilesIsToldFromAFaultOfTheFileOrTheWay(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE} {
		err := error(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", number)})
		if got := failureKind(fmt.Errorf("no connection: %w", err)); got != checks.OutOfFiles {
			t.Errorf("%v of a connection: got %s, want %s", number, got, checks.OutOfFiles)
		}
		if got := withProblem(checks.File{}, &os.PathError{Op: "open", Path: "token", Err: number}).Problem; got != checks.FileBeyondLimit {
			t.Errorf("%v of a file: got %s, want %s", number, got, checks.FileBeyondLimit)
		}
	}
}
