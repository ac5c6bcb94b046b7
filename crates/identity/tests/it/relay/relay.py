"""A mail relay for tests: takes mails as a real one does, and writes each as a line of JSON.

What it answers depends on the recipient: `never…` is refused for good, `later…` at the first try, `hang…` is taken and
never answered at the first try. `sync` on standard input writes a line by itself; it ends with standard input.
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult


def say(**line):
    # In one piece: two threads speak.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Handler:
    def __init__(self):
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later") and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        say(
            sender=envelope.mail_from,
            to=envelope.rcpt_tos,
            headers=[[name, str(value)] for name, value in mail.items()],
            kind=mail.get_content_type(),
            plain=body.get("text/plain"),
            html=body.get("text/html"),
            encrypted=session.ssl is not None,
            user=session.auth_data,
        )
        for address in envelope.rcpt_tos:
            if address.startswith("hang") and address not in self.seen:
                self.seen.add(address)
                await asyncio.sleep(3600)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    fits = mechanism in ("LOGIN", "PLAIN") and data.password == b"the relay's secret"
    return AuthResult(success=fits, auth_data=data.login.decode() if fits else None)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--encryption", choices=["starttls", "tls", "none"], default="starttls")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--auth", action="store_true")
    given = parser.parse_args()
    context = None
    if given.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate, given.key)
    handler, starttls = Handler(), given.encryption == "starttls"

    def session():
        return SMTP(
            handler,
            hostname="localhost",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate if given.auth else None,
            auth_required=given.auth,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    outer = context if given.encryption == "tls" else None
    server = await loop.create_server(session, "127.0.0.1", given.port, ssl=outer)
    say(port=server.sockets[0].getsockname()[1])
    ended = asyncio.Event()

    def listen():
        for _ in sys.stdin:
            say(sync=True)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=listen, daemon=True).start()
    await ended.wait()


asyncio.run(main())
