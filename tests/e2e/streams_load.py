#!/usr/bin/env python3
"""Event streams as an AI back end makes them: many open at once, each read by a slow phone, an honest pair chatting beside.

Open loop: each event has its time, and is late when the server is. Prints what the back end saw, what the pair saw, and what
the server took for it. For people; the tests are in test_event_streams.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.api import Api  # noqa: E402
from harness.client import Client, TcpStream  # noqa: E402
from harness.packets import Kind  # noqa: E402
from harness.server import Server  # noqa: E402

WORDS = "the answer comes word by word as models speak 流 式 输 出 ".split(" ")


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000 if values else float("nan")


async def tell(host, port, names, rate, seconds, connections):
    """Tells deltas to the streams in turn; gives latencies from the planned time, refusals, and the deltas of each stream."""
    queue, latencies, refused, told = asyncio.Queue(), [], [], {name: 0 for name in names}

    async def work():
        reader, writer = await asyncio.open_connection(host, port)
        while (job := await queue.get()) is not None:
            planned, index, name = job
            body = json.dumps({"channel_id": f"phone{name}", "channel_type": 1, "from_uid": "bot", "client_msg_no": f"ai-{name}",
                               "event_id": f"e{index}", "event_type": "stream.delta",
                               "payload": {"kind": "text", "delta": WORDS[index % len(WORDS)] + " "}}).encode()
            writer.write(b"POST /message/event HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")))
            answer = await reader.readexactly(size)
            latencies.append(time.monotonic() - planned)
            if b" 200 " in head.split(b"\r\n")[0]:
                told[name] += 1
            else:
                refused.append(answer.decode())
        writer.close()

    workers = [asyncio.create_task(work()) for _ in range(connections)]
    start = time.monotonic()
    for index in range(int(rate * seconds)):
        planned = start + index / rate
        if (wait := planned - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        queue.put_nowait((planned, index, names[index % len(names)]))
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)
    return latencies, refused[:3], len(refused), sum(told.values()), time.monotonic() - start


def back_end(pipe, *args):
    pipe.send(asyncio.run(tell(*args)))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def chat(server, until, latencies):
    anna, bob = (Client(TcpStream(server.tcp_port), uid) for uid in ("anna", "bob"))
    anna.login(), bob.login()
    while time.monotonic() < until:
        start = time.monotonic()
        sent = anna.send("bob", b"honest")
        bob.receive()
        latencies.append(time.monotonic() - start)
        anna.sendack(sent)
        time.sleep(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--rate", type=int, default=200, help="deltas a second, over all streams")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(pathlib.Path(directory), disableEncryption=True).start()
        try:
            run(server, options)
        finally:
            server.kill()


def run(server, options):
    api = Api(server)
    phones = []
    for index in range(options.streams):
        phones.append(Client(TcpStream(server.tcp_port, receive_buffer=2048), f"phone{index}", acknowledges=False))
        phones[-1].login()
        api.send(b"...", f"phone{index}", 1, from_uid="bot", is_stream=1, client_msg_no=f"ai-{index}")
    resident, cpu = server.resident_bytes(), cpu_seconds(server.process.pid)
    here, there = multiprocessing.Pipe()
    teller = multiprocessing.Process(target=back_end, args=(there, "127.0.0.1", server.http_port, list(range(options.streams)),
                                                            options.rate, options.seconds, options.connections))
    teller.start()
    pair = []
    chatting = threading.Thread(target=chat, args=(server, time.monotonic() + options.seconds, pair))
    chatting.start()
    latencies, examples, refused, told, took = here.recv()
    chatting.join()
    teller.join()
    peak, spent = server.resident_bytes(), cpu_seconds(server.process.pid) - cpu
    metrics = {line.split(" ")[0]: line.split(" ")[1] for line in api.get("/metrics").text.splitlines() 
               if "stream" in line and not line.startswith("#")}
    for index in range(0, options.streams, 50):
        final = api.post("/message/event", {"channel_id": f"phone{index}", "channel_type": 1, "from_uid": "bot",
                                            "client_msg_no": f"ai-{index}", "event_id": "end", "event_type": "stream.close"}).ok()
        assert final["stream_status"] == "closed"
        event, = api.post("/message/eventsync", {"channel_id": f"phone{index}", "channel_type": 1, "from_uid": "bot",
                                                 "client_msg_no": f"ai-{index}"}).ok()["events"]
        assert refused or event["payload"]["text"].count(" ") == len(range(index, int(options.rate * options.seconds),
                                                                           options.streams)), "every delta is in the final text"
    print(f"back end   {told} deltas in {took:.1f} s to {options.streams} streams ({told / took:.0f}/s asked {options.rate}/s), "
          f"{refused} refused {examples}; ms p50 {percentile(latencies, .5):.1f} p99 {percentile(latencies, .99):.1f}")
    print(f"pair       {len(pair)} messages; SEND to RECV ms p50 {percentile(pair, .5):.1f} p99 {percentile(pair, .99):.1f}")
    print(f"server     CPU {spent / took * 100:.0f} % of a core, {spent / max(told, 1) * 1e6:.0f} us a delta; "
          f"RSS {resident / 2**20:.1f} MiB before, {peak / 2**20:.1f} MiB after")
    print("metrics    " + ", ".join(f"{name}={value}" for name, value in metrics.items() if float(value) or "dropped" in name))
    heard = phones[0].drain(0.5)
    print(f"a phone    {sum(packet.kind == Kind.EVENT for packet in heard)} events waited for it")


if __name__ == "__main__":
    main()
