"""TLS servers that are not what they should be, one for each case: certificates that openssl makes anew, ends of connections, old versions."""
import contextlib
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading

import OpenSSL.SSL

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import hostile_cases  # noqa: E402
from lying_server import LyingServer, content  # noqa: E402

CERTIFICATE = ("CERTIFICATE!",)
CLOSED = hostile_cases.CLOSED
HANDSHAKE = ("TLS_HANDSHAKE", "CONNECTION_CLOSED")
GOOD_NAME = "subjectAltName=DNS:localhost,IP:127.0.0.1"
SERVER_USE = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
STALL = hostile_cases.STALL


def openssl(*words, stdin=""):
    subprocess.run(("openssl",) + words, input=stdin.encode(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Certificates:
    """A small authority. Every call makes a certificate with its key: (certificate file with its chain, key file)."""

    def __init__(self, folder):
        self.folder = folder
        self.n = 0
        self.root = self.make("root", None, AUTHORITY, chain=False)

    def path(self, kind):
        return os.path.join(self.folder, f"tls-{self.n}.{kind}")

    def make(self, common_name, issuer, extensions, days=("-days", "30"), key=("EC", "ec_paramgen_curve:P-256"), digest="-sha256", chain=True):
        self.n += 1
        certificate, key_file, request = self.path("pem"), self.path("key"), self.path("csr")
        openssl("genpkey", "-algorithm", key[0], "-pkeyopt", key[1], "-out", key_file)
        openssl("req", "-new", "-key", key_file, "-subj", "/CN=" + common_name, "-out", request)
        sign = ["-CA", issuer[0], "-CAkey", issuer[1], "-set_serial", str(self.n)] if issuer else ["-signkey", key_file]
        with open(self.path("ext"), "w", encoding="utf-8") as file:
            file.write(extensions)
        openssl("x509", "-req", "-in", request, *sign, *days, digest, "-extfile", self.path("ext"), "-out", certificate)
        if chain and issuer and issuer is not self.root:
            with open(certificate, "a", encoding="utf-8") as to, open(issuer[0], encoding="utf-8") as what:
                to.write(what.read())
        return certificate, key_file

    def dated(self, common_name, issuer, extensions, begin, end):
        """With openssl ca, the only one that takes dates."""
        self.n += 1
        certificate, key_file, request = self.path("pem"), self.path("key"), self.path("csr")
        config, index, serial = self.path("cnf"), self.path("index"), self.path("serial")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key_file)
        openssl("req", "-new", "-key", key_file, "-subj", "/CN=" + common_name, "-out", request)
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\nserial={serial}\nnew_certs_dir={self.folder}\ndefault_md=sha256\n"
                       f"policy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\n{extensions}")
        with open(index, "w", encoding="utf-8"), open(serial, "w", encoding="utf-8") as file:
            file.write("%04X\n" % (0x1000 + self.n))
        openssl("ca", "-batch", "-notext", "-config", config, "-cert", issuer[0], "-keyfile", issuer[1], "-in", request, "-out", certificate,
                "-startdate", begin, "-enddate", end)
        return certificate, key_file


class RawServer:
    """Speaks whatever it likes as soon as somebody connects."""

    def __init__(self, speak):
        self.speak = speak
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        with sock:
            try:
                sock.settimeout(10)
                self.speak(sock)
            except OSError:
                pass

    def stop(self):
        self.listener.close()


def reset(sock):
    sock.recv(4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(data):
    def speak(sock):
        sock.recv(4096)
        sock.sendall(data)
        sock.settimeout(2)
        while sock.recv(4096):
            pass
    return speak


def stall(sock):
    while sock.recv(4096):
        pass


def flood(sock):
    sock.recv(4096)
    for _ in range(1 << 14):  # warnings without end: each is a record of its own
        sock.sendall(b"\x15\x03\x03\x00\x02\x01\x00" * 64)


def renegotiate(before, after):
    """TLS 1.2: in the middle of the body the server shakes hands once more, with the certificate @after. Python's own ssl cannot."""
    def context(certificate):
        made = OpenSSL.SSL.Context(OpenSSL.SSL.TLS_SERVER_METHOD)
        made.set_max_proto_version(OpenSSL.SSL.TLS1_2_VERSION)
        made.use_certificate_chain_file(certificate[0])
        made.use_privatekey_file(certificate[1])
        made.set_session_cache_mode(OpenSSL.SSL.SESS_CACHE_OFF)
        return made

    def speak(sock):
        sock.settimeout(None)  # its own time-outs are not pyOpenSSL's
        connection = OpenSSL.SSL.Connection(context(before), sock)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            first = connection.get_finished()
            connection.recv(1 << 16)
            whole = content("f", 1, 0, hostile_cases.SIZE)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole) + whole[:len(whole) // 2])
            connection.set_context(context(after))
            connection.renegotiate()
            connection.do_handshake()  # asks; what comes of it is seen by who reads
            sock.setblocking(False)
            while connection.get_finished() == first and select.select([sock], [], [], 10)[0]:
                with contextlib.suppress(OpenSSL.SSL.WantReadError):
                    connection.recv(1)
            sock.setblocking(True)
            connection.sendall(whole[len(whole) // 2:])
            connection.shutdown()
        except OpenSSL.SSL.Error:
            pass
    return speak


def of_old_times(certificate):
    """A server whose own OpenSSL would not take this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(*certificate)
    return context


class Servers:
    def __init__(self, folder):
        self.certificates = Certificates(folder)
        self.authority = self.certificates.root[0]
        self.servers = []

    def serve(self, certificate, change=None, lies=None):
        server = LyingServer(tls=certificate)
        if change:
            change(server.tls)
        server.start()
        server.add_case("f", {"name": "f", "size": hostile_cases.SIZE, "answers": [lies or {}]})
        self.servers.append(server)
        return server.port

    def speak(self, speak):
        server = RawServer(speak)
        self.servers.append(server)
        return server.port

    def certificate_cases(self):
        """(name, certificate, expected, host)"""
        c, root = self.certificates, self.certificates.root
        leaf = SERVER_USE + GOOD_NAME
        yield "a good certificate", c.make("x", root, leaf), "exact", "127.0.0.1"
        yield "a good certificate by name", c.make("x", root, leaf), "exact", "localhost"
        middle = c.make("middle", root, AUTHORITY)
        yield "a good chain", c.make("x", middle, leaf), "exact", "127.0.0.1"
        yield "a missing intermediate", c.make("x", middle, leaf, chain=False), CERTIFICATE, "127.0.0.1"
        yield "an expired certificate", c.dated("x", root, leaf, "20200101000000Z", "20210101000000Z"), CERTIFICATE, "127.0.0.1"
        yield "a certificate of the future", c.dated("x", root, leaf, "20990101000000Z", "21000101000000Z"), CERTIFICATE, "127.0.0.1"
        old = c.dated("old", root, AUTHORITY, "20200101000000Z", "20210101000000Z")
        yield "an expired intermediate", c.make("x", old, leaf), CERTIFICATE, "127.0.0.1"
        yield "a certificate for another host", c.make("x", root, SERVER_USE + "subjectAltName=DNS:other.example"), CERTIFICATE, "localhost"
        yield "a certificate for another address", c.make("x", root, SERVER_USE + "subjectAltName=IP:127.0.0.2"), CERTIFICATE, "127.0.0.1"
        yield "an address as a DNS name", c.make("x", root, SERVER_USE + "subjectAltName=DNS:127.0.0.1"), CERTIFICATE, "127.0.0.1"
        yield "a wildcard that is too wide", c.make("x", root, SERVER_USE + "subjectAltName=DNS:*"), CERTIFICATE, "localhost"
        yield "a wildcard of another domain", c.make("x", root, SERVER_USE + "subjectAltName=DNS:*.localhost"), CERTIFICATE, "localhost"
        with_nul = b"localhost\0.evil.example"  # a SEQUENCE of one dNSName
        with_nul = bytes([0x30, len(with_nul) + 2, 0x82, len(with_nul)]) + with_nul
        yield "a name with a NUL", c.make("localhost", root, SERVER_USE + "subjectAltName=DER:" + with_nul.hex(":")), CERTIFICATE, "localhost"
        yield "a name that only begins well", c.make("localhost", root, SERVER_USE + "subjectAltName=DNS:localhost.evil.example"), CERTIFICATE, \
            "localhost"
        yield "a common name beside other names", c.make("localhost", root, SERVER_USE + "subjectAltName=DNS:other.example"), CERTIFICATE, "localhost"
        yield "its own signature", c.make("x", None, leaf), CERTIFICATE, "127.0.0.1"
        stranger = c.make("root", None, AUTHORITY)
        yield "an authority that nobody knows, of the same name", c.make("x", stranger, leaf), CERTIFICATE, "127.0.0.1"
        yield "a certificate for clients", c.make("x", root, leaf.replace("serverAuth", "clientAuth")), CERTIFICATE, "127.0.0.1"
        yield "a certificate for mail", c.make("x", root, leaf.replace("serverAuth", "emailProtection")), CERTIFICATE, "127.0.0.1"
        no_authority = c.make("leaf", root, leaf)
        yield "a leaf that signs a leaf", c.make("x", no_authority, leaf), CERTIFICATE, "127.0.0.1"
        narrow = c.make("narrow", root, "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n")
        wide = c.make("wide", narrow, AUTHORITY)
        too_long = c.make("x", wide, leaf)
        yield "a chain longer than its authority allows", too_long, CERTIFICATE, "127.0.0.1"
        bound = c.make("bound", root, AUTHORITY + "nameConstraints=critical,permitted;DNS:example.org\n")
        yield "a name outside its authority's bounds", c.make("x", bound, SERVER_USE + "subjectAltName=DNS:localhost"), CERTIFICATE, "localhost"
        yield "a critical extension that nobody knows", c.make("x", root, leaf + "\n1.2.3.4.5=critical,DER:0500\n"), CERTIFICATE, "127.0.0.1"

    def weak_certificate_cases(self):
        c, root = self.certificates, self.certificates.root
        leaf = SERVER_USE + GOOD_NAME
        yield "a certificate signed with SHA-1", c.make("x", root, leaf, digest="-sha1")
        yield "an intermediate signed with SHA-1", c.make("x", c.make("middle", root, AUTHORITY, digest="-sha1"), leaf)
        yield "an RSA key of 1024 bits", c.make("x", root, leaf, key=("RSA", "rsa_keygen_bits:1024"))

    def cases(self):
        """(name, expected, url, request)"""
        for name, certificate in self.weak_certificate_cases():
            yield name, CERTIFICATE, f"https://127.0.0.1:{self.serve(of_old_times(certificate))}/c/f/f", {}
        for name, certificate, expected, host in self.certificate_cases():
            yield name, expected, f"https://{host}:{self.serve(certificate)}/c/f/f", {}
        good = self.certificates.make("x", self.certificates.root, SERVER_USE + GOOD_NAME)
        url = "https://127.0.0.1:%d/c/f/f"

        def old(version):
            def change(context):
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = version
                context.set_ciphers("ALL:@SECLEVEL=0")
            return change

        def demand(context):
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority)

        def odd_ciphers(context):
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("NULL:@SECLEVEL=0")

        yield "TLS 1.0", HANDSHAKE, url % self.serve(good, old(ssl.TLSVersion.TLSv1)), {}
        yield "TLS 1.1", HANDSHAKE, url % self.serve(good, old(ssl.TLSVersion.TLSv1_1)), {}
        yield "TLS 1.2", "exact", url % self.serve(good, old(ssl.TLSVersion.TLSv1_2)), {}
        yield "no encryption at all", HANDSHAKE, url % self.serve(good, odd_ciphers), {}
        yield "a demand for a client certificate", HANDSHAKE + ("TLS_HANDSHAKE!", "CLIENT_CERTIFICATE_REQUIRED!"), url % self.serve(good, demand), {}
        yield "an end without close_notify before the length", ("CONNECTION_CLOSED",), url % self.serve(good, lies={"cut": 100, "end": "abrupt"}), {}
        yield "an end without close_notify, no length", ("CONNECTION_CLOSED",), \
            url % self.serve(good, lies={"length": "missing", "close": True, "end": "abrupt"}), {}
        yield "an end with close_notify before the length", ("CONNECTION_CLOSED",), url % self.serve(good, lies={"cut": 100}), {}
        yield "a reset in the handshake", HANDSHAKE, url % self.speak(reset), {}
        yield "an end in the handshake", HANDSHAKE, url % self.speak(lambda sock: sock.recv(4096)), {}
        yield "http where TLS should be", HANDSHAKE, url % self.speak(say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")), {}
        yield "noise where TLS should be", HANDSHAKE, url % self.speak(say(os.urandom(4096))), {}
        yield "a fatal alert", HANDSHAKE, url % self.speak(say(b"\x15\x03\x03\x00\x02\x02\x28")), {}
        yield "a record that is too long", HANDSHAKE, url % self.speak(say(b"\x16\x03\x03\xff\xff" + b"\0" * 65535)), {}
        yield "warnings without end", HANDSHAKE + ("TIMED_OUT",), url % self.speak(flood), {"connect_timeout_usec": 2_000_000}
        other = self.certificates.make("x", self.certificates.root, SERVER_USE + "subjectAltName=DNS:other.example")
        # Declined, and the server gives up: nobody would look at the new certificate's name, nor would a job's own judge.
        yield "a second handshake on the connection", CLOSED, url % self.speak(renegotiate(good, good)), {}
        yield "a second handshake with another host's certificate", CLOSED, url % self.speak(renegotiate(good, other)), {}
        yield "a handshake that stalls", ("TIMED_OUT",), url % self.speak(stall), {"connect_timeout_usec": 500_000, **STALL}

    def stop(self):
        for server in self.servers:
            server.stop()
