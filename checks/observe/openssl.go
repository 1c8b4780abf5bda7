package observe

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// What PEM_read_bio of OpenSSL 3 means by a block that is not in order.
var (
	errBlockWithoutEnd = errors.New("does not end")
	errBlockLines      = errors.New("has an empty line, or one of another length, where none may be")
	errBlockEnd        = errors.New("ends with another line than its own")
	errBlockBase64     = errors.New("is no base64, or empty")
	errBlockHeader     = errors.New("has lines before an empty one that are no PEM header")
	errBlockContent    = errors.New("does not parse")
)

// readAsOpenSSL reads a bundle as OpenSSL 3 does where it is given the name of
// the file (crypto/x509/by_file.c, X509_load_cert_crl_file), which is how the
// Python client and curl have it read. Certificates, revocation lists and
// private keys must all be in order, or nothing of the file is taken; other
// blocks have only to be blocks. parsed are the certificates that need no
// parsing again.
//
// What crypto/x509 does not parse counts as out of order, though OpenSSL is
// more lenient about some of it, such as a negative serial number.
func readAsOpenSSL(bundle []byte, parsed map[string]*x509.Certificate) (*checks.OpenSSLBundle, []*x509.Certificate) {
	var certificates []*x509.Certificate
	lines := &openSSLLines{rest: bundle}
	for number := 1; ; number++ {
		block, found, err := lines.block()
		if !found {
			return &checks.OpenSSLBundle{Certificates: len(certificates)}, certificates
		}
		if err == nil {
			var certificate *x509.Certificate
			if certificate, err = block.content(parsed); certificate != nil {
				certificates = append(certificates, certificate)
			}
		}
		if err != nil {
			return &checks.OpenSSLBundle{Refusal: fmt.Sprintf("block %d (%s) %s", number, clip(block.name, maxNameLength), err)}, nil
		}
	}
}

// openSSLBlock is one block. What stands before an empty line is its header.
type openSSLBlock struct {
	name   string
	header []byte
	data   []byte
}

// content looks into the blocks that PEM_X509_INFO_read_bio looks into.
func (b *openSSLBlock) content(parsed map[string]*x509.Certificate) (*x509.Certificate, error) {
	trusted := b.name == "TRUSTED CERTIFICATE"
	switch {
	case trusted, b.name == "CERTIFICATE", b.name == "X509 CERTIFICATE":
		if len(b.header) > 0 {
			return nil, errBlockHeader
		}
		return b.certificate(trusted, parsed)
	case b.name == "X509 CRL":
		if len(b.header) > 0 {
			return nil, errBlockHeader
		}
		return nil, b.list()
	case strings.Contains(b.name, "PRIVATE KEY"):
		return nil, b.key()
	default:
		return nil, nil
	}
}

// certificate passes over what follows the DER, as d2i_X509 does, but for the
// settings of trust, which must be of ASN.1.
func (b *openSSLBlock) certificate(trusted bool, parsed map[string]*x509.Certificate) (*x509.Certificate, error) {
	if known := parsed[string(b.data)]; known != nil {
		return known, nil
	}
	var whole, settings asn1.RawValue
	rest, err := asn1.Unmarshal(b.data, &whole)
	if err != nil {
		return nil, errBlockContent
	}
	if trusted && len(rest) > 0 {
		if _, err := asn1.Unmarshal(rest, &settings); err != nil || settings.Tag != asn1.TagSequence {
			return nil, errBlockContent
		}
	}
	certificate, err := x509.ParseCertificate(whole.FullBytes)
	if err != nil {
		return nil, errBlockContent
	}
	return certificate, nil
}

// list asks for no more than the frame of a CertificateList, RFC 5280 section
// 5.1; crypto/x509 would want version 2.
func (b *openSSLBlock) list() error {
	var list struct {
		List      asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(b.data, &list); err != nil || list.List.Tag != asn1.TagSequence {
		return errBlockContent
	}
	return nil
}

// key asks a key in the clear for the frame that every kind has, a sequence
// that begins with a version (RFC 5208, RFC 8017, RFC 5915). OpenSSL leaves an
// encrypted one as it is.
func (b *openSSLBlock) key() error {
	encrypted := bytes.HasPrefix(b.header, []byte("Proc-Type: 4,ENCRYPTED\nDEK-Info: "))
	switch {
	case len(b.header) > 0 && !encrypted:
		return errBlockHeader
	case encrypted, b.name == "ENCRYPTED PRIVATE KEY":
		return nil
	}
	var fields []asn1.RawValue
	if _, err := asn1.Unmarshal(b.data, &fields); err != nil || len(fields) < 2 || fields[0].Tag != asn1.TagInteger {
		return errBlockContent
	}
	return nil
}

// openSSLLines are the lines of a file as PEM_read_bio gets them: by fgets into
// a buffer of 255 bytes, so that a longer line is several.
type openSSLLines struct {
	rest []byte
	// partial tells that the last line was cut, and follows that the one
	// before it was.
	partial, follows bool
}

// next is one line without its end. The characters up to the blank are taken
// off it, and those from 0x80 on, which are negative to it. A zero ends the
// line, and as its first character the file.
func (l *openSSLLines) next() (line []byte, ok bool) {
	const longest = 254
	line = l.rest[:min(len(l.rest), longest)]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end+1]
	}
	l.rest = l.rest[len(line):]
	if end := bytes.IndexByte(line, 0); end >= 0 {
		line = line[:end]
	}
	if len(line) == 0 {
		l.rest = nil
		return nil, false
	}
	l.follows, l.partial = l.partial, len(line) == longest && line[longest-1] != '\n'
	return bytes.TrimRightFunc(line, func(char rune) bool { return char <= ' ' || char >= 0x80 }), true
}

// block is the next block, found telling whether one begins. Text around
// blocks is passed over, and a byte order mark at its beginning.
func (l *openSSLLines) block() (block openSSLBlock, found bool, err error) {
	for first := true; ; first = false {
		line, ok := l.next()
		if !ok {
			return block, false, nil
		}
		if first {
			line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
		}
		name, begins := bytes.CutPrefix(line, []byte("-----BEGIN "))
		if name, ends := bytes.CutSuffix(name, []byte("-----")); begins && ends {
			block.name = string(name)
			break
		}
	}
	text, err := l.body(&block)
	if err == nil {
		block.data, err = decodeAsOpenSSL(text)
	}
	return block, true, err
}

// body reads up to the end line and puts the header, if there is one, into the
// block. Lines that no empty line follows are the data.
func (l *openSSLLines) body(block *openSSLBlock) (data []byte, err error) {
	var before []byte
	var colon, header, short bool
	l.partial = false
	for {
		line, ok := l.next()
		if !ok {
			return nil, errBlockWithoutEnd
		}
		colon = colon || bytes.IndexByte(line, ':') >= 0
		end, ends := bytes.CutPrefix(line, []byte("-----END "))
		switch {
		case len(line) == 0 && l.follows:
		case len(line) == 0 && header:
			return nil, errBlockLines
		case len(line) == 0:
			header = true
		case ends && string(end) != block.name+"-----":
			return nil, errBlockEnd
		case ends && (header || colon):
			block.header = before
			return data, nil
		case ends:
			return before, nil
		case short, header && len(line) > 64:
			return nil, errBlockLines
		case header:
			short = len(line) < 64
			data = append(append(data, line...), '\n')
		default:
			before = append(append(before, line...), '\n')
		}
	}
}

// decodeAsOpenSSL follows EVP_DecodeUpdate: white space counts for nothing, and
// a hyphen ends the text if what stands before it is whole.
func decodeAsOpenSSL(text []byte) ([]byte, error) {
	solid := make([]byte, 0, len(text))
	for _, char := range text {
		if char == '-' {
			break
		}
		if char != ' ' && char != '\t' && char != '\r' && char != '\n' {
			solid = append(solid, char)
		}
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(solid)))
	length, err := base64.StdEncoding.Decode(decoded, solid)
	if err != nil || length == 0 {
		return nil, errBlockBase64
	}
	return decoded[:length], nil
}
