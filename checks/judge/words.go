package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// fileTrouble says in a few words why a file could not be read.
func fileTrouble(file checks.File) string {
	switch file.Problem {
	case checks.FileMissing:
		return "it does not exist"
	case checks.FileForbidden:
		return "permission denied, its mode is " + first(file.Mode, "not visible")
	case checks.FileIrregular:
		return "it is no regular file, its mode is " + file.Mode
	case checks.FileTooLarge:
		return fmt.Sprintf("its %d bytes are more than is read", file.Size)
	default:
		return file.Error
	}
}

// span writes a length of time as people say it, with two units at the most.
func span(length time.Duration) string {
	length = length.Abs()
	const day = 24 * time.Hour
	switch {
	case length >= 2*365*day:
		return fmt.Sprintf("%d years", length/(365*day))
	case length >= 2*day:
		return fmt.Sprintf("%d days", length/day)
	case length >= time.Hour:
		return fmt.Sprintf("%dh%02dm", length/time.Hour, length%time.Hour/time.Minute)
	case length >= time.Minute:
		return fmt.Sprintf("%dm%02ds", length/time.Minute, length%time.Minute/time.Second)
	case length >= time.Second:
		return length.Round(100 * time.Millisecond).String()
	default:
		rounded := length.Round(100 * time.Microsecond)
		if rounded > 0 && rounded < time.Millisecond {
			// Not every terminal shows a µ.
			return fmt.Sprintf("0.%dms", rounded/(100*time.Microsecond))
		}
		return rounded.String()
	}
}

func seconds(count float64) string { return span(time.Duration(count * float64(time.Second))) }

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// cut shortens a text for a sentence.
func cut(text string) string {
	const limit = 80
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

func list[T fmt.Stringer](things []T) string {
	texts := make([]string, 0, len(things))
	for _, thing := range things {
		texts = append(texts, thing.String())
	}
	return enumerate(texts)
}

// enumerate joins texts with commas and tells how many are left out.
func enumerate(texts []string) string {
	const most = 6
	if len(texts) == 0 {
		return "none"
	}
	if len(texts) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
	}
	return strings.Join(texts, ", ")
}

// sentencePart is a sentence of somebody else without its end.
func sentencePart(text string) string { return strings.TrimRight(text, ". \n") }
