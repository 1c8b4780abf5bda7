package observe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/net/http2/hpack"
)

// wire is a connection whose server says what it says, whatever it is told.
type wire struct {
	io.Reader
	sent bytes.Buffer
}

func (w *wire) Write(content []byte) (int, error) { return w.sent.Write(content) }

// script are frames of a server.
type script struct {
	bytes.Buffer
	table   bytes.Buffer
	encoder *hpack.Encoder
}

func newScript() *script {
	s := &script{}
	s.encoder = hpack.NewEncoder(&s.table)
	return s
}

func (s *script) frame(kind, flags byte, stream uint32, payload ...byte) *script {
	writeFrame(&s.Buffer, kind, flags, stream, payload)
	return s
}

// block encodes header fields, as name and value in turn.
func (s *script) block(fields ...string) []byte {
	s.table.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = s.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(s.table.Bytes())
}

func (s *script) headers(stream uint32, fields ...string) *script {
	return s.frame(frameHeaders, flagEndHeaders, stream, s.block(fields...)...)
}

func (s *script) data(stream uint32, text string) *script {
	return s.frame(frameData, flagEndStream, stream, []byte(text)...)
}

func requestForAPI(t testing.TB) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://10.96.0.1:443/api", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.Repeat("t", 2*frameLimit))
	return request
}

func goAwayAfter(stream uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, stream), 0)
}

func TestAServersFramesAreReadAsWhatTheyAre(t *testing.T) {
	padded := func(s *script) *script {
		block := s.block(":status", "200", "audit-id", "a")
		payload := append([]byte{3, 0, 0, 0, 0, 0}, append(block, 0, 0, 0)...)
		return s.frame(frameHeaders, flagEndHeaders|flagPadded|flagPriority, 1, payload...).
			frame(frameData, flagPadded|flagEndStream, 1, 2, '{', '}', 0, 0)
	}
	continued := func(s *script) *script {
		block := s.block(":status", "200", "audit-id", "a")
		return s.frame(frameHeaders, 0, 1, block[:2]...).frame(frameContinuation, flagEndHeaders, 1, block[2:]...).data(1, "{}")
	}
	for _, test := range []struct {
		name string
		said func(*script) *script
		want error
	}{
		{"an answer", func(s *script) *script { return s.headers(1, ":status", "200", "audit-id", "a").data(1, "{}") }, nil},
		{"with padding and priority", padded, nil},
		{"with a head in two frames", continued, nil},
		{"behind settings, a ping and a frame that is not known", func(s *script) *script {
			return s.frame(frameSettings, 0, 0).frame(framePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8).frame(0xbe, 0, 0, 1).frame(0xbe, 0, 7, 1).
				headers(1, ":status", "200", "audit-id", "a").data(1, "{}")
		}, nil},
		{"behind an interim one and before trailers", func(s *script) *script {
			s.headers(1, ":status", "103", "link", "x").headers(1, ":status", "200", "audit-id", "a").frame(frameData, 0, 1, '{', '}')
			return s.frame(frameHeaders, flagEndHeaders|flagEndStream, 1, s.block("x-end", "1")...)
		}, nil},
		{"behind those of an earlier request", func(s *script) *script {
			return s.headers(3, ":status", "500", "audit-id", "b").data(3, "late").headers(1, ":status", "200", "audit-id", "a").data(1, "{}")
		}, nil},
		{"a GOAWAY that leaves the request in", func(s *script) *script {
			return s.frame(frameGoAway, 0, 0, goAwayAfter(1)...).headers(1, ":status", "200", "audit-id", "a").data(1, "{}")
		}, nil},
		{"a GOAWAY that leaves it out", func(s *script) *script { return s.frame(frameGoAway, 0, 0, goAwayAfter(0)...) }, errHTTP2Ended},
		{"a GOAWAY cut short", func(s *script) *script { return s.frame(frameGoAway, 0, 0, 1) }, errHTTP2Ended},
		{"a reset of the request", func(s *script) *script { return s.frame(frameResetStream, 0, 1, 0, 0, 0, 7) }, errHTTP2Refused},
		{"a push", func(s *script) *script { return s.frame(framePushPromise, flagEndHeaders, 1, 0, 0, 0, 2) }, errNotHTTP2},
		{"data without a head", func(s *script) *script { return s.data(1, "{}") }, errNotHTTP2},
		{"a head without a status", func(s *script) *script { return s.headers(1, "audit-id", "a").data(1, "{}") }, errNotHTTP2},
		{"a head that something else interrupts", func(s *script) *script {
			return s.frame(frameHeaders, 0, 1, s.block(":status", "200")...).data(1, "{}")
		}, errNotHTTP2},
		{"a head that is no HPACK", func(s *script) *script { return s.frame(frameHeaders, flagEndHeaders, 1, 0xff, 0xff) }, errNotHTTP2},
		{"more padding than payload", func(s *script) *script { return s.frame(frameData, flagPadded, 1, 9, 0) }, errNotHTTP2},
		{"headers of the connection itself", func(s *script) *script { return s.frame(frameHeaders, flagEndHeaders, 0) }, errNotHTTP2},
		{"a frame larger than is allowed", func(s *script) *script { return s.frame(frameData, 0, 1, make([]byte, frameLimit+1)...) }, errNotHTTP2},
		{"a head without end", func(s *script) *script {
			s.frame(frameHeaders, 0, 1)
			for range 6 {
				s.frame(frameContinuation, 0, 1, make([]byte, frameLimit)...)
			}
			return s
		}, errHeadTooLarge},
		{"a head of many small fields", func(s *script) *script {
			var fields []string
			for range maxHeader / 64 {
				fields = append(fields, "x", strings.Repeat("y", 64))
			}
			s.table.Reset()
			return s.headers(1, append([]string{":status", "200"}, fields...)...)
		}, errHeadTooLarge},
		{"a body without end", func(s *script) *script {
			s.headers(1, ":status", "200")
			for range 5 {
				s.frame(frameData, 0, 1, make([]byte, frameLimit)...)
			}
			return s
		}, errBodyTooLarge},
		{"pings without end", func(s *script) *script {
			for range maxFrames / 17 {
				s.frame(framePing, flagAcknowledged, 0, 1, 2, 3, 4, 5, 6, 7, 8)
			}
			return s.frame(framePing, flagAcknowledged, 0, 1, 2, 3, 4, 5, 6, 7, 8)
		}, errHTTP2TooLarge},
		{"nothing", func(s *script) *script { return s }, io.EOF},
		{"a frame cut off", func(s *script) *script {
			s.data(1, "{}")
			s.Truncate(10)
			return s
		}, io.ErrUnexpectedEOF},
		{"HTTP/1.1", func(s *script) *script {
			s.WriteString("HTTP/1.1 400 Bad Request\r\n\r\n")
			return s
		}, errNotHTTP2},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := test.said(newScript()).Bytes()
			connection := &wire{Reader: iotest.HalfReader(bytes.NewReader(said))}
			response, err := newHTTP2Conversation(connection).roundTrip(requestForAPI(t))
			if !errors.Is(err, test.want) {
				t.Fatalf("got the error %v, want %v", err, test.want)
			}
			if err == nil && (response.status != http.StatusOK || response.header.Get("Audit-Id") != "a" || string(response.body) != "{}") {
				t.Errorf("got %+v, want the answer", response)
			}
		})
	}
}

// TestAHeadThatUnfoldsTakesLittleMemory has one byte stand for a large field over
// and over, as HPACK allows.
func TestAHeadThatUnfoldsTakesLittleMemory(t *testing.T) {
	const field = 1<<7 | 62 // the latest in the table (RFC 7541 section 2.3.3)
	said := newScript()
	said.frame(frameHeaders, 0, 1, said.block(":status", "200", "x", strings.Repeat("y", headerTable/2))...)
	for range maxHeader / frameLimit {
		said.frame(frameContinuation, 0, 1, bytes.Repeat([]byte{field}, frameLimit-1024)...)
	}
	said.frame(frameContinuation, flagEndHeaders, 1)
	request := requestForAPI(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := newHTTP2Conversation(&wire{Reader: &said.Buffer}).roundTrip(request)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, errHeadTooLarge) {
		t.Errorf("got the error %v, want %v", err, errHeadTooLarge)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
		t.Errorf("reading %d bytes took %d of memory, want less than 1 MiB", said.Cap(), took)
	}
}

// TestARequestIsWrittenAsAServerReadsIt has a server's settings and ping
// answered, and a token sent that takes three frames.
func TestARequestIsWrittenAsAServerReadsIt(t *testing.T) {
	said := newScript().frame(frameSettings, 0, 0).frame(framePing, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8).headers(1, ":status", "200").data(1, "{}")
	connection := &wire{Reader: &said.Buffer}
	conversation := newHTTP2Conversation(connection)
	if _, err := conversation.roundTrip(requestForAPI(t)); err != nil {
		t.Fatal(err)
	}
	rest, found := bytes.CutPrefix(connection.sent.Bytes(), []byte(http2Preface))
	if !found {
		t.Fatal("no preface was sent")
	}
	server := newHTTP2Conversation(&wire{Reader: bytes.NewReader(rest)})
	server.left = 1 << 20
	var kinds, block []byte
	for {
		read, err := server.readFrame()
		if err != nil {
			break
		}
		kinds = append(kinds, read.kind)
		if read.kind == frameHeaders || read.kind == frameContinuation {
			block = append(block, read.payload...)
		}
	}
	want := []byte{frameSettings, frameWindowUpdate, frameHeaders, frameContinuation, frameSettings, framePing}
	if !bytes.Equal(kinds, want) {
		t.Errorf("got frames of the types %v, want %v", kinds, want)
	}
	fields, err := hpack.NewDecoder(0, nil).DecodeFull(block)
	if err != nil {
		t.Fatalf("a decoder without a table does not read the request: %v", err)
	}
	got := make(map[string]string)
	for _, field := range fields {
		got[field.Name] = field.Value
		if field.Name == "authorization" && !field.Sensitive {
			t.Error("the token is not marked as one that nobody may keep")
		}
	}
	for name, want := range map[string]string{":method": "GET", ":scheme": "https", ":authority": "10.96.0.1:443", ":path": "/api", "authorization": requestForAPI(t).Header.Get("Authorization")} {
		if got[name] != want {
			t.Errorf("got %s %.40q, want %.40q", name, got[name], want)
		}
	}
}

func FuzzHTTP2Response(f *testing.F) {
	f.Add(newScript().frame(frameSettings, 0, 0).headers(1, ":status", "200", "audit-id", "a").data(1, "{}").Bytes())
	f.Add(newScript().headers(1, ":status", "103").frame(frameGoAway, 0, 0, goAwayAfter(1)...).Bytes())
	f.Add(newScript().frame(frameHeaders, flagPadded|flagPriority, 1, 3, 0, 0).frame(frameContinuation, flagEndHeaders, 1).Bytes())
	f.Fuzz(func(t *testing.T, said []byte) {
		conversation := newHTTP2Conversation(&wire{Reader: bytes.NewReader(said)})
		for range 2 {
			response, err := conversation.roundTrip(requestForAPI(t))
			if err != nil {
				return
			}
			if response == nil || response.status < http.StatusOK || len(response.body) > maxBody {
				t.Errorf("got %+v", response)
			}
		}
	})
}
