"""A server in a thread that speaks OpenAI's chat API and fails as it is told to."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DROP = "close the connection without an answer"
HANG = "answer never; notice when the client goes"
MODELS = {"object": "list", "data": [{"id": "m", "owned_by": "llamacpp"}]}
# Logits of the only next-token distribution that this model has.
LOGITS = {"```": 3.0, "def": 2.0, "Sure": 1.0, "I": 0.0, "?": -2.0}


def logprobs(temperature=1.0):
    """Log-probabilities of all tokens at a temperature."""
    scaled = {token: logit / temperature for token, logit in LOGITS.items()}
    total = math.log(sum(math.exp(value) for value in scaled.values()))
    return {token: value - total for token, value in scaled.items()}


def entry(token, table, top):
    """One token as a server lists it."""
    likeliest = sorted(table, key=table.get, reverse=True)[:top]
    listed = [{"token": other, "logprob": table[other]} for other in likeliest]
    return {"token": token, "logprob": table[token], "top_logprobs": listed}


def ordinary(body, text="def", tokens=("def",), finish="stop", drawn_by=False, **changes):
    """The answer of a server at which nothing is wrong; ``changes`` replace its fields."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish,
    }
    if body.get("logprobs"):
        table = logprobs(body["temperature"] if drawn_by else 1.0)
        listed = [entry(token, table, body["top_logprobs"]) for token in tokens]
        choice["logprobs"] = {"content": listed}
    usage = {"prompt_tokens": 7, "completion_tokens": len(tokens)}
    return {"choices": [choice], "usage": usage, **changes}


def is_trial(body):
    """Whether it is one of the requests by which a server is tried out beforehand."""
    return body["max_tokens"] == 1


class FaultServer:
    """Answers every chat completion with ``answer(body, number)``; ``number`` counts from 0.

    An answer is a dict (status 200), (status, dict or bytes), (status, dict, headers), DROP or
    HANG. Trials are answered in the ordinary way and not counted, unless ``trials`` answers them.
    """

    def __init__(self, answer=None, models=MODELS, trials=None, prefix="/v1"):
        self.answer = answer or (lambda body, number: ordinary(body))
        self.trials = trials or ordinary
        self.models, self.prefix = models, prefix
        self.bodies, self.headers, self.paths = [], [], []
        self.client_left = threading.Event()
        self.let_go = threading.Event()  # ends what hangs
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Bound", (Handler,), {"faults": self})
        )
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.let_go.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def next_answer(self, body):
        with self._lock:
            if is_trial(body):
                return self.trials(body)
            number = len(self.bodies)
            self.bodies.append(body)
        return self.answer(body, number)


class Handler(BaseHTTPRequestHandler):
    """One connection; ``faults`` is the ``FaultServer`` that it belongs to."""

    protocol_version = "HTTP/1.1"
    faults = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.note()
        found = self.path == self.faults.prefix + "/models"
        self.reply(self.faults.models if found else (404, b"nothing here"))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.note()
        # A stopped server's open connections would go on being answered by their threads.
        answer = DROP if self.faults.let_go.is_set() else self.faults.next_answer(body)
        if answer == HANG:
            self.hang()
        if answer in (HANG, DROP):
            self.close_connection = True
        else:
            self.reply(answer)

    def note(self):
        self.faults.headers.append(dict(self.headers))
        self.faults.paths.append(self.path)

    def hang(self):
        self.connection.settimeout(0.05)
        while not self.faults.let_go.is_set():
            try:
                if self.connection.recv(1):
                    continue
            except TimeoutError:
                continue
            except OSError:
                pass
            self.faults.client_left.set()
            return

    def reply(self, answer):
        status, content, *headers = answer if isinstance(answer, tuple) else (200, answer)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers[0] if headers else {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)
