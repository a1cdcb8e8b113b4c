"""A host on loopback that plays those of download.py: archives, and a Hugging Face Hub.

It answers as the real ones do as far as the clients look: ETag, Range with If-Range, and for the
Hub the API, /resolve/ with its X- headers, and weights behind a redirect to another path.
"""

import hashlib
import io
import json
import random
import re
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from cosent_tools.download import fetch

COMMIT = '0123456789abcdef0123456789abcdef01234567'
ROBERTA = 'hfl/chinese-roberta-wwm-ext'
WEIGHTS = random.Random(0).randbytes(6 * fetch.CHUNK)  # as long packed as unpacked
HALF = 3 * fetch.CHUNK


class Host(ThreadingHTTPServer):
    """Serves `files`; `at_byte` says what happens within a file, `statuses` what instead of it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), _Handler)
        self.url = f'http://127.0.0.1:{self.server_port}'
        self.files = {}  # path → bytes
        self.json = {}  # path → value
        self.redirects = {}  # path → (other path, headers)
        self.statuses = {}  # path → HTTP status
        self.at_byte = {}  # path → (bytes, what to do once when so many are sent)
        self.asked = []  # (method, path, value of Range)

    def stop(self):
        self.shutdown()
        self.server_close()

    def ranges(self, path):
        """The Range of each GET of a file."""
        return [asked[2] for asked in self.asked if asked[:2] == ('GET', path)]

    def add_archive(self, path, entries):
        """Serve a zip archive of entries (name or ZipInfo → content)."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        self.files[path] = packed.getvalue()

    def add_model(self, name, files, commit=COMMIT, revision='main'):
        """Serve files (name → content) as a model of the Hub; weights are redirected.

        They are of a commit, to which a revision leads from now on.
        """
        siblings = []
        for file, content in sorted(files.items()):
            digest = hashlib.sha256(content).hexdigest()
            resolve = f'/{name}/resolve/{commit}/{file}'
            entry = {'type': 'file', 'path': file, 'rfilename': file}
            entry |= {'size': len(content), 'oid': 40 * '1', 'blobId': 40 * '1'}
            if file.endswith(('.h5', '.safetensors')):
                lfs = {'sha256': digest, 'oid': digest, 'size': len(content), 'pointerSize': 134}
                entry['lfs'] = lfs
                head = {'X-Linked-Etag': f'"{digest}"', 'X-Linked-Size': str(len(content))}
                self.redirects[resolve] = (f'/cdn/{digest}', head)
                self.files[f'/cdn/{digest}'] = content
            else:
                self.files[resolve] = content
            siblings.append(entry)
        model = {'id': name, 'sha': commit, 'siblings': siblings, 'tags': [], 'downloads': 0}
        self.json[f'/api/models/{name}'] = model | {'private': False, 'likes': 0}
        for found_by in (revision, commit):
            self.json[f'/api/models/{name}/revision/{found_by}'] = self.json[f'/api/models/{name}']
        self.json[f'/api/models/{name}/tree/{commit}'] = siblings

    def cdn(self):
        """Where the weights of the model are served."""
        return next(path for path in self.files if path.startswith('/cdn/'))

    def cut_for_ever(self, path):
        """Send nothing of a file but its headers."""
        self.at_byte[path] = (0, lambda _: self.cut_for_ever(path))

    def handle_error(self, request, client_address):
        """Clients that go away are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        host, path = self.server, unquote(urlsplit(self.path).path)
        host.asked.append((self.command, path, self.headers['Range']))
        if path in host.statuses:
            self.answer(host.statuses[path], b'no')
        elif path in host.redirects:
            place, headers = host.redirects[path]
            elsewhere = host.url.replace('127.0.0.1', 'localhost')  # as a CDN, to be trusted less
            headers = headers | {'Location': elsewhere + place, 'X-Repo-Commit': commit_of(path)}
            self.answer(302, b'', headers)
        elif path in host.json:
            body = json.dumps(host.json[path]).encode()
            self.answer(200, body, {'Content-Type': 'application/json'})
        elif path in host.files:
            self.send_file(path, host.files[path])
        elif path.startswith('/api/models/'):
            self.answer(404, b'{}', {'X-Error-Code': 'RepoNotFound'})
        else:
            self.answer(404, b'no')

    def send_file(self, path, content):
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        headers = {'ETag': tag, 'Accept-Ranges': 'bytes', 'X-Repo-Commit': commit_of(path)}
        status, start = 200, 0
        wanted = re.fullmatch(r'bytes=(\d+)-', self.headers['Range'] or '')
        if wanted and self.headers.get('If-Range', tag) == tag:
            status, start = 206, int(wanted[1])
            headers['Content-Range'] = f'bytes {start}-{len(content) - 1}/{len(content)}'
        if start >= len(content):
            self.answer(416, b'')
            return
        stop, act = self.server.at_byte.get(path, (None, None))
        if self.command == 'HEAD' or act is None:
            self.answer(status, content[start:], headers)
            return
        del self.server.at_byte[path]
        self.answer(status, content[start:], headers, stop)
        act(self)
        self.close_connection = True

    def answer(self, status, body, headers=None, stop=None):
        self.send_response(status)
        for name, value in {'Content-Length': str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body[:stop])
            self.wfile.flush()

    def log_message(self, *_):
        """Quiet."""


def commit_of(path):
    """The commit in /NAME/resolve/COMMIT/FILE, that of any model elsewhere."""
    found = re.search('/resolve/([0-9a-f]{40})/', path)
    return found[1] if found else COMMIT


@contextmanager
def serving():
    """Give a host that answers until the end."""
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield host
        host.stop()
        thread.join()
