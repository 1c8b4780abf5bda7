package observe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// The types of frames, RFC 9113 section 6, settings, section 6.5.2, and flags.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameResetStream  = 0x3
	frameSettings     = 0x4
	framePushPromise  = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8
	frameContinuation = 0x9

	settingEnablePush        = 0x2
	settingInitialWindowSize = 0x4
	settingMaxHeaderListSize = 0x6

	errorCancel = 0x8 // section 7

	flagAcknowledged = 0x1 // of SETTINGS and PING
	flagEndStream    = 0x1
	flagEndHeaders   = 0x4
	flagPadded       = 0x8
	flagPriority     = 0x20
)

const (
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// frameLimit is what each side takes that has not said otherwise (section
	// 6.5.2, SETTINGS_MAX_FRAME_SIZE).
	frameLimit = 16 << 10
	// bodyWindow lets a server send more than is read, so that it is seen.
	bodyWindow = 2 * maxBody
	// headerTable is the size of the decoder's table (section 6.5.2,
	// SETTINGS_HEADER_TABLE_SIZE), which is left at its default.
	headerTable = 4096
	// maxFrames bounds all that is read for one response.
	maxFrames = maxHeader + bodyWindow + 64<<10
)

var (
	// errHTTP2Ended is met where the server does not take the request any more,
	// since the connection is to end (section 6.8).
	errHTTP2Ended    = errors.New("the server ended the HTTP/2 connection (GOAWAY)")
	errHTTP2Refused  = errors.New("the server refused the request over HTTP/2")
	errHTTP2TooLarge = errors.New("the frames of the response are larger than 256 KiB")
	errNotHTTP2      = errors.New("what came back is not HTTP/2")
)

// http2Conversation makes requests over one HTTP/2 connection, RFC 9113, one
// after the other. It reads nothing but while a request waits for its response,
// so no goroutine has to, and what came in between is read then.
//
// It is not that of net/http, since that one prints every header with the token
// where GODEBUG has http2debug, prints by the package log what it finds strange,
// and takes 0.5 MB more of resident memory.
type http2Conversation struct {
	reader  *bufio.Reader
	writer  io.Writer
	decoder *hpack.Decoder
	// stream is that of the latest request, 0 before the first.
	stream uint32
	// taken are the bytes of bodies that the window of the connection is still to
	// be opened for again.
	taken uint32
	// left is how many bytes may still be read for the latest request.
	left int
	// ending tells that the server wants no further request.
	ending bool
	// waiting tells that the latest request had no answer yet, and broken that no
	// further one can be made.
	waiting, broken bool
}

func newHTTP2Conversation(connection io.ReadWriter) *http2Conversation {
	decoder := hpack.NewDecoder(headerTable, nil)
	decoder.SetMaxStringLength(maxHeader)
	return &http2Conversation{reader: bufio.NewReader(connection), writer: connection, decoder: decoder, taken: bodyWindow}
}

// http2Response is one that was read whole.
type http2Response struct {
	status int
	header http.Header
	body   []byte
}

// roundTrip makes a request without a body.
func (c *http2Conversation) roundTrip(request *http.Request) (*http2Response, error) {
	if c.ending {
		return nil, errHTTP2Ended
	}
	var out bytes.Buffer
	if c.stream == 0 {
		c.stream = 1
		out.WriteString(http2Preface)
		writeFrame(&out, frameSettings, 0, 0, settings())
	} else {
		if c.waiting {
			writeFrame(&out, frameResetStream, 0, c.stream, binary.BigEndian.AppendUint32(nil, errorCancel))
		}
		c.stream += 2
	}
	c.waiting, c.broken = true, true
	if c.taken > 0 {
		writeFrame(&out, frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, c.taken))
		c.taken = 0
	}
	if err := c.writeHeaders(&out, request); err != nil {
		return nil, err
	}
	if _, err := c.writer.Write(out.Bytes()); err != nil {
		return nil, err
	}
	c.left = maxFrames
	response, err := c.readResponse()
	if err == nil {
		c.waiting, c.broken = false, false
	}
	return response, err
}

// settings are what differs from the defaults.
func settings() (payload []byte) {
	for _, setting := range []struct {
		name  uint16
		value uint32
	}{{settingEnablePush, 0}, {settingInitialWindowSize, bodyWindow}, {settingMaxHeaderListSize, maxHeader}} {
		payload = binary.BigEndian.AppendUint16(payload, setting.name)
		payload = binary.BigEndian.AppendUint32(payload, setting.value)
	}
	return payload
}

// writeFrame writes to a buffer, which does not fail.
func writeFrame(out *bytes.Buffer, kind, flags byte, stream uint32, payload []byte) {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(payload))) //nolint:gosec // never above frameLimit
	out.Write(append(length[1:], kind, flags))
	out.Write(binary.BigEndian.AppendUint32(nil, stream))
	out.Write(payload)
}

// writeHeaders writes the request without the dynamic table, in which a server
// would keep the token.
func (c *http2Conversation) writeHeaders(out *bytes.Buffer, request *http.Request) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	fields := []hpack.HeaderField{
		{Name: ":method", Value: request.Method},
		{Name: ":scheme", Value: request.URL.Scheme},
		{Name: ":authority", Value: request.URL.Host},
		{Name: ":path", Value: request.URL.RequestURI()},
	}
	for name, values := range request.Header {
		for _, value := range values {
			name := strings.ToLower(name)
			fields = append(fields, hpack.HeaderField{Name: name, Value: value, Sensitive: name == "authorization"})
		}
	}
	for _, field := range fields {
		if err := encoder.WriteField(field); err != nil {
			return err
		}
	}
	kind, flags := byte(frameHeaders), byte(flagEndStream)
	for {
		part := block.Next(frameLimit)
		if block.Len() == 0 {
			flags |= flagEndHeaders
		}
		writeFrame(out, kind, flags, c.stream, part)
		if block.Len() == 0 {
			return nil
		}
		kind, flags = frameContinuation, 0
	}
}

// frame is one of the server's.
type frame struct {
	kind, flags byte
	// length is that of the payload with its padding.
	stream, length uint32
	payload        []byte
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

func (c *http2Conversation) readFrame() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return frame{}, err
	}
	read := frame{
		kind: head[3], flags: head[4],
		stream: binary.BigEndian.Uint32(head[5:]) &^ (1 << 31),
		length: binary.BigEndian.Uint32(append([]byte{0}, head[:3]...)),
	}
	if read.length > frameLimit {
		return frame{}, fmt.Errorf("%w: a frame of %d bytes", errNotHTTP2, read.length)
	}
	if c.left -= len(head) + int(read.length); c.left < 0 {
		return frame{}, errHTTP2TooLarge
	}
	read.payload = make([]byte, read.length)
	if _, err := io.ReadFull(c.reader, read.payload); err != nil {
		return frame{}, noEOF(err)
	}
	return read, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readResponse reads frames until the response to the latest request is whole.
func (c *http2Conversation) readResponse() (*http2Response, error) {
	var response *http2Response
	for {
		if _, err := c.reader.Peek(1); err != nil {
			// Where the time is over between two frames, nothing is lost.
			c.broken = !errors.Is(err, os.ErrDeadlineExceeded)
			return nil, err
		}
		read, err := c.readFrame()
		switch {
		case err != nil:
			return nil, err
		case read.stream == 0:
			err = c.control(read)
		case read.kind == frameHeaders:
			response, err = c.head(read, response)
		case read.kind == frameData:
			response, err = c.body(read, response)
		case read.kind == frameResetStream && read.stream == c.stream:
			err = fmt.Errorf("%w: it reset the request", errHTTP2Refused)
		case slices.Contains([]byte{framePushPromise, frameContinuation, frameSettings, framePing, frameGoAway}, read.kind):
			err = outOfPlace(read)
		}
		if err != nil {
			return nil, err
		}
		if read.stream == c.stream && read.has(flagEndStream) && (read.kind == frameHeaders || read.kind == frameData) {
			if response == nil {
				return nil, fmt.Errorf("%w: a response without a status", errNotHTTP2)
			}
			return response, nil
		}
	}
}

func outOfPlace(read frame) error {
	return fmt.Errorf("%w: a frame of type %d out of place", errNotHTTP2, read.kind)
}

// head begins the response, unless it is another's, an interim one or trailers.
func (c *http2Conversation) head(read frame, response *http2Response) (*http2Response, error) {
	fields, err := c.readHeaders(read)
	if err != nil || read.stream != c.stream || response != nil {
		return response, err
	}
	return interpret(fields)
}

// body adds to the response.
func (c *http2Conversation) body(read frame, response *http2Response) (*http2Response, error) {
	c.taken += read.length
	part, err := content(read)
	if err != nil || read.stream != c.stream || response == nil {
		return response, err
	}
	if response.body = append(response.body, part...); len(response.body) > maxBody {
		return nil, errBodyTooLarge
	}
	return response, nil
}

// control answers what is about the connection.
func (c *http2Conversation) control(read frame) error {
	var out bytes.Buffer
	switch read.kind {
	case frameSettings:
		if !read.has(flagAcknowledged) {
			writeFrame(&out, frameSettings, flagAcknowledged, 0, nil)
		}
	case framePing:
		if !read.has(flagAcknowledged) && len(read.payload) == 8 {
			writeFrame(&out, framePing, flagAcknowledged, 0, read.payload)
		}
	case frameGoAway:
		c.ending = true
		if len(read.payload) < 8 || binary.BigEndian.Uint32(read.payload)&^(1<<31) < c.stream {
			return errHTTP2Ended
		}
	case frameHeaders, frameData, frameResetStream, frameContinuation, framePushPromise:
		return outOfPlace(read)
	}
	if out.Len() == 0 {
		return nil
	}
	_, err := c.writer.Write(out.Bytes())
	return err
}

// readHeaders decodes a block of header fields with what continues it. Each has
// to be, whose ever it is, since the table of the decoder goes by it.
func (c *http2Conversation) readHeaders(read frame) ([]hpack.HeaderField, error) {
	block, err := content(read)
	if err != nil {
		return nil, err
	}
	for ended := read.has(flagEndHeaders); !ended; {
		more, err := c.readFrame()
		if err != nil {
			return nil, err
		}
		if more.kind != frameContinuation || more.stream != read.stream {
			return nil, fmt.Errorf("%w: a frame of type %d within header fields", errNotHTTP2, more.kind)
		}
		block = append(block, more.payload...)
		ended = more.has(flagEndHeaders)
		if len(block) > maxHeader {
			return nil, errHeadTooLarge
		}
	}
	return c.decode(block)
}

// decode keeps no more fields than a head may have, since one byte can stand for a
// field of 4 KiB.
func (c *http2Conversation) decode(block []byte) (fields []hpack.HeaderField, err error) {
	size := 0
	c.decoder.SetEmitFunc(func(field hpack.HeaderField) {
		if size += int(field.Size()); size <= maxHeader {
			fields = append(fields, field)
		}
	})
	if _, err := c.decoder.Write(block); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHTTP2, err)
	}
	if err := c.decoder.Close(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotHTTP2, err)
	}
	if size > maxHeader {
		return nil, errHeadTooLarge
	}
	return fields, nil
}

// content is the payload of DATA or HEADERS without its padding and priority.
func content(read frame) ([]byte, error) {
	payload, padding := read.payload, 0
	if read.has(flagPadded) && len(payload) > 0 {
		padding, payload = int(payload[0]), payload[1:]
	}
	if read.kind == frameHeaders && read.has(flagPriority) {
		payload = payload[min(5, len(payload)):]
	}
	if padding > len(payload) {
		return nil, fmt.Errorf("%w: more padding than payload", errNotHTTP2)
	}
	return payload[:len(payload)-padding], nil
}

// interpret makes a response of header fields; nil of an interim one.
func interpret(fields []hpack.HeaderField) (*http2Response, error) {
	response := &http2Response{header: make(http.Header)}
	for _, field := range fields {
		if field.Name != ":status" {
			response.header.Add(field.Name, field.Value)
			continue
		}
		status, err := strconv.ParseInt(field.Value, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%w: a status that is no number", errNotHTTP2)
		}
		response.status = int(status)
	}
	switch {
	case response.status < http.StatusContinue:
		return nil, fmt.Errorf("%w: a response without a status", errNotHTTP2)
	case response.status < http.StatusOK:
		return nil, nil //nolint:nilnil // an interim response is passed over
	}
	return response, nil
}
