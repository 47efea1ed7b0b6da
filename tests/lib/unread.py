"""What was sent to a socket of this machine and nobody has read yet: how far a client lags behind its server.

    unread = Unread(connection)     # a TCP connection between two sockets of this machine
    unread.bytes()                  # that are on their way, or lie at its other end
"""
import fcntl
import socket
import struct
import termios

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
HEADER = struct.Struct("=IHHII")
REQUEST = struct.Struct("=BBBxI")
NO_INTERFACE_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
QUEUE_AT = HEADER.size + 4 + 48 + 4  # behind the state, the socket's id and its timer: struct inet_diag_msg


class Unread:
    def __init__(self, connection):
        ends = [(socket.inet_pton(connection.family, name[0]), name[1]) for name in (connection.getpeername(), connection.getsockname())]
        ident = struct.pack(">HH16s16s", ends[0][1], ends[1][1], ends[0][0], ends[1][0]) + NO_INTERFACE_NO_COOKIE
        body = REQUEST.pack(connection.family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + ident
        self.question = HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + body
        self.connection = connection
        self.kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)

    def bytes(self):
        self.kernel.send(self.question)
        answer = self.kernel.recv(4096)
        if HEADER.unpack_from(answer)[1] != SOCK_DIAG_BY_FAMILY:
            return 0  # the other end is closed
        on_their_way = struct.unpack("=i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)))[0]
        return on_their_way + struct.unpack_from("=I", answer, QUEUE_AT)[0]

    def close(self):
        self.kernel.close()
