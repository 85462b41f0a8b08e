// A TLS server of Go's crypto/tls for the tests: it answers each request with what was agreed.
//
// The first line that it prints has its port and the ECHConfigList of its key, in base64.
package main

import (
	"bufio"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
)

func vector(size int, data []byte) []byte {
	length := make([]byte, 8)
	binary.BigEndian.PutUint64(length, uint64(len(data)))
	return append(length[8-size:], data...)
}

// echConfig is an ECHConfig (RFC 9849 §4) for X25519, HKDF-SHA256 and the three AEADs.
func echConfig(id byte, publicKey []byte, publicName string) []byte {
	suites := []byte{0, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0, 3}
	contents := append([]byte{id, 0, 0x20}, vector(2, publicKey)...)
	contents = append(contents, vector(2, suites)...)
	contents = append(contents, 32)
	contents = append(contents, vector(1, []byte(publicName))...)
	contents = append(contents, 0, 0)
	return append([]byte{0xfe, 0x0d}, vector(2, contents)...)
}

// serve reads one request and answers it with what was agreed, or sends the client on.
func serve(connection net.Conn, location string) {
	defer connection.Close()
	secured := connection.(*tls.Conn)
	if err := secured.Handshake(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	lines := bufio.NewScanner(secured)
	for lines.Scan() && lines.Text() != "" {
	}
	state := secured.ConnectionState()
	body := fmt.Sprintf("version=%s suite=%s group=%d resumed=%t ech=%t name=%s alpn=%s client=%d\n",
		tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.CurveID,
		state.DidResume, state.ECHAccepted, state.ServerName, state.NegotiatedProtocol, len(state.PeerCertificates))
	status := "200 OK"
	if location != "" {
		status = "302 Found\r\nLocation: " + location
	}
	fmt.Fprintf(secured, "HTTP/1.1 "+status+"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

func main() {
	certificate := flag.String("cert", "", "certificates, the leaf first")
	key := flag.String("key", "", "private key")
	publicName := flag.String("public", "public.test", "public name of the ECH config")
	retry := flag.Bool("retry", true, "send the config to clients with another")
	group := flag.Uint("group", 0, "the only group, by its number")
	older := flag.Bool("tls12", false, "TLS 1.2 only")
	askClient := flag.Bool("ask", false, "require a client certificate")
	location := flag.String("location", "", "URL to send clients on to")
	staple := flag.String("staple", "", "file with an OCSP response")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		log.Fatal(err)
	}
	if *staple != "" {
		if pair.OCSPStaple, err = os.ReadFile(*staple); err != nil {
			log.Fatal(err)
		}
	}
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	config := echConfig(1, secret.PublicKey().Bytes(), *publicName)
	settings := &tls.Config{
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"},
		EncryptedClientHelloKeys: []tls.EncryptedClientHelloKey{
			{Config: config, PrivateKey: secret.Bytes(), SendAsRetry: *retry},
		},
	}
	if *group != 0 {
		settings.CurvePreferences = []tls.CurveID{tls.CurveID(*group)}
	}
	if *older {
		settings.MaxVersion = tls.VersionTLS12
	}
	if *askClient {
		settings.ClientAuth = tls.RequireAnyClientCert
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s\n", listener.Addr(), base64.StdEncoding.EncodeToString(vector(2, config)))
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection, *location)
	}
}
