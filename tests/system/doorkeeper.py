"""A server that wants certificates of its clients, and certificates for it."""
import hashlib
import http.server
import ssl
import threading

from hostile_tls import SERVER_USE, GOOD_NAME, Certificates

CLIENT_USE = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"


class Doorkeeper(http.server.ThreadingHTTPServer):
    """Asks for a certificate, and notes whose it was: (path, common name, port of the client). /to?URL redirects."""
    daemon_threads = True

    def __init__(self, certificate, authority, mode, version):
        self.heard = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(*certificate)
        self.tls.load_verify_locations(authority)
        self.tls.verify_mode = mode
        self.tls.maximum_version = version
        super().__init__(("127.0.0.1", 0), DoorkeeperHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def get_request(self):
        sock, address = super().get_request()
        sock.settimeout(20)
        return self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), address

    def url(self, path="/file"):
        return f"https://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request, client_address):
        pass  # who has no certificate is sent away


class DoorkeeperHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.request.do_handshake()
        super().setup()

    def do_GET(self):
        peer = self.request.getpeercert()
        name = dict(pair[0] for pair in peer["subject"])["commonName"] if peer else None
        self.server.heard.append((self.path, name, self.client_address[1]))
        away = self.path.startswith("/to?")
        self.send_response(302 if away else 200)
        if away:
            self.send_header("Location", self.path[4:])
        self.send_header("Content-Length", "0" if away else "8")
        self.end_headers()
        if not away:
            self.wfile.write(b"the file")

    def log_message(self, *_):
        pass


def make_certificates(folder):
    """Certificates: of the server, of two agents, a second one of the first agent's name, and one behind another authority's."""
    c = Certificates(str(folder))
    c.server = c.make("server", c.root, SERVER_USE + GOOD_NAME)
    c.agent = c.make("Agent", c.root, CLIENT_USE)
    c.later = c.make("agent", c.root, CLIENT_USE, days=("-days", "60"))
    c.other = c.make("other", c.root, CLIENT_USE)
    middle = c.make("middle", c.root, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    c.behind = c.make("behind", middle, CLIENT_USE)
    c.expired = c.dated("expired", c.root, CLIENT_USE, "20200101000000Z", "20210101000000Z")
    return c


def by_hash(certificate):
    with open(certificate[0], encoding="ascii") as file:
        pem = file.read().split("-----END")[0] + "-----END CERTIFICATE-----\n"
    return "current_user/MY/sha1:" + hashlib.sha1(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
