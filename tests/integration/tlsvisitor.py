# SPDX-License-Identifier: ISC
"""Visitors, and clients, over TLS, with a say in how the connection ends."""

import io
import socket
import ssl

from visitor import PATIENCE, Visitor


class Cut(OSError):
    """The connection ended without close_notify."""


class TlsVisitor(Visitor):
    """A Visitor inside TLS: `name` goes out as server name (None: none) and
    the certificate is checked for it, as `context` says."""

    def __init__(self, server, name, context, session=None, alpn=None,
                 source=None):
        super().__init__(server, PATIENCE, source)
        self.file.close()
        if alpn is not None:
            context.set_alpn_protocols(alpn)
        # Some Pythons take every end for close_notify unless told otherwise.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out,
                                    server_hostname=name, session=session)
        self._do(self.tls.do_handshake)
        self.file = io.BufferedReader(_Raw(self))

    def _flush(self):
        if data := self._out.read():
            self.socket.sendall(data)

    def _do(self, call, *args):
        """Calls until it needs nothing from the socket any more."""
        while True:
            try:
                result = call(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError as error:
                if (isinstance(error, ssl.SSLEOFError) or
                        error.reason == "UNEXPECTED_EOF_WHILE_READING"):
                    raise Cut() from None
                self._flush()
                raise

    def _fill(self):
        if data := self.socket.recv(65536):
            self._in.write(data)
        else:
            self._in.write_eof()

    def send(self, data):
        view = memoryview(data.encode() if isinstance(data, str) else data)
        while view:
            view = view[self._do(self.tls.write, view[:65536]):]
        return self

    def send_slowly(self, data, pause=0.001):
        raise NotImplementedError

    def recv(self, length=65536):
        """b"" if the peer has sent close_notify; Cut if it just ended."""
        try:
            return self._do(self.tls.read, length)
        except ssl.SSLZeroReturnError:
            return b""

    def shut(self):
        """Sends close_notify and ends the stream; reading goes on."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self._flush()
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def cut(self):
        """Ends the stream without close_notify."""
        self.socket.shutdown(socket.SHUT_WR)
        return self


class _Raw(io.RawIOBase):
    def __init__(self, visitor):
        self.visitor = visitor

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.visitor.recv(len(buffer))
        buffer[:len(data)] = data
        return len(data)
