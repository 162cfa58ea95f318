package tracing

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// readable checks the variables of how the collector is called that the library would leave out in silence where it cannot read
// them: spans would go without authorization, or to a collector that nobody vouches for. An error names the variable, and
// repeats nothing of what it says: a key itself may stand where its file is meant.
func readable(getenv func(string) string) error {
	for _, of := range []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"} {
		value := func(name string) string { return strings.TrimSpace(getenv(of + name)) }
		if !goodHeaders(value("HEADERS")) {
			return fmt.Errorf("%sHEADERS: a header is given as name=value, and several with a comma between; in a value, %% and comma are written %%25 and %%2C", of)
		}
		if timeout := value("TIMEOUT"); timeout != "" {
			if ms, err := strconv.Atoi(timeout); err != nil || ms <= 0 {
				return fmt.Errorf("%sTIMEOUT: give a whole number of milliseconds, such as 10000", of)
			}
		}
		if file := value("CERTIFICATE"); file != "" {
			pem, err := contents(file)
			if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
				err = errors.New("there is no certificate in PEM in that file")
			}
			if err != nil {
				return fmt.Errorf("%sCERTIFICATE: %w", of, err)
			}
		}
		certificate, key := value("CLIENT_CERTIFICATE"), value("CLIENT_KEY")
		if certificate == "" && key == "" {
			continue
		}
		if certificate == "" || key == "" {
			return fmt.Errorf("%sCLIENT_CERTIFICATE and %sCLIENT_KEY: give both or neither", of, of)
		}
		for name, file := range map[string]string{"CLIENT_CERTIFICATE": certificate, "CLIENT_KEY": key} {
			if _, err := contents(file); err != nil {
				return fmt.Errorf("%s%s: %w", of, name, err)
			}
		}
		if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
			return fmt.Errorf("%sCLIENT_CERTIFICATE and %sCLIENT_KEY: the two files are no certificate and its key in PEM", of, of)
		}
	}
	return nil
}

// contents reads a file; the error does not repeat its name.
func contents(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	var at *os.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return b, err
}

var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$") // a token of RFC 9110, section 5.6.2

func goodHeaders(list string) bool {
	for header := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(header) == "" {
			continue
		}
		name, value, ok := strings.Cut(header, "=")
		plain, err := url.PathUnescape(value)
		if !ok || err != nil || !headerName.MatchString(strings.TrimSpace(name)) || strings.ContainsAny(plain, "\r\n\x00") {
			return false
		}
	}
	return true
}
