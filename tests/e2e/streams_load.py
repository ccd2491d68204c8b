#!/usr/bin/env python3
"""Event streams as an AI back end makes them: many open at once, each read by a slow phone, an honest pair chatting beside.

Open loop: each event has its time, and is late when the server is. Prints what the back end saw, what the pair saw, and what
the server took for it; fails when a delta that was answered is not in the final text. A phone reads nothing at all, through a
receive buffer of 2 KiB. JINGU_BIN and JINGU_SHARDS say which server. For people; the tests are in test_event_streams.py.
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
            if b"connection: close" in head.lower():  # there are more connections than places: they take turns
                writer.close()
                reader, writer = await asyncio.open_connection(host, port)
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
    return latencies, refused, told, time.monotonic() - start


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
    parser.add_argument("--tellers", type=int, default=1, help="processes that tell; one of them has 2,000 to 3,000 deltas a second in it")
    parser.add_argument("--memory", default="256M")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(pathlib.Path(directory), disableEncryption=True, memory=options.memory).start()
        try:
            run(server, options)
        finally:
            server.kill()


def watch(server, is_over, peaks):
    """The highest resident set."""
    while not is_over.wait(0.1):
        peaks[0] = max(peaks[0], server.resident_bytes())


def figure(metrics, name):
    return sum(float(value) for key, value in metrics.items() if key.split("{")[0] == name)


def run(server, options):
    api = Api(server)
    phones = []
    for index in range(options.streams):
        phones.append(Client(TcpStream(server.tcp_port, receive_buffer=2048), f"phone{index}", acknowledges=False))
        phones[-1].login()
        api.send(b"...", f"phone{index}", 1, from_uid="bot", is_stream=1, client_msg_no=f"ai-{index}")
    resident, cpu = server.resident_bytes(), cpu_seconds(server.process.pid)
    tellers, pipes = [], []
    for part in range(options.tellers):
        here, there = multiprocessing.Pipe()
        arguments = (there, "127.0.0.1", server.http_port, list(range(part, options.streams, options.tellers)),
                     options.rate / options.tellers, options.seconds, max(options.connections // options.tellers, 1))
        tellers.append(multiprocessing.Process(target=back_end, args=arguments))
        pipes.append(here)
        tellers[-1].start()
    pair, peaks, is_over = [], [resident], threading.Event()
    threads = [threading.Thread(target=chat, args=(server, time.monotonic() + options.seconds, pair)),
               threading.Thread(target=watch, args=(server, is_over, peaks))]
    for thread in threads:
        thread.start()
    answers = [pipe.recv() for pipe in pipes]
    latencies, refused = [one for answer in answers for one in answer[0]], [one for answer in answers for one in answer[1]]
    told, took = {name: count for answer in answers for name, count in answer[2].items()}, max(answer[3] for answer in answers)
    is_over.set()
    for one in (*threads, *tellers):
        one.join()
    spent, count = cpu_seconds(server.process.pid) - cpu, sum(told.values())
    metrics = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in api.get("/metrics").text.splitlines() if not line.startswith("#")}
    check(api, told)
    print(f"back end   {count} deltas in {took:.1f} s to {options.streams} streams ({count / took:.0f}/s, asked {options.rate}/s), "
          f"{len(refused)} refused {sorted(set(refused))}; ms p50 {percentile(latencies, .5):.1f} p99 {percentile(latencies, .99):.1f} "
          f"max {percentile(latencies, 1):.1f}")
    print(f"pair       {len(pair)} messages; SEND to RECV ms p50 {percentile(pair, .5):.1f} p99 {percentile(pair, .99):.1f}")
    print(f"server     CPU {spent / took * 100:.0f} % of a core, {spent / max(count, 1) * 1e6:.0f} us a delta; "
          f"RSS {resident / 2**20:.1f} MiB before, {peaks[0] / 2**20:.1f} at most, {server.resident_bytes() / 2**20:.1f} after")
    memory = sum(float(value) for key, value in metrics.items()
                 if key.startswith("jingu_ledger_peak_bytes{") and 'holder="streams"' in key)
    print(f"streams    {figure(metrics, 'jingu_streams_held'):.0f} held, at most {memory / 1024:.0f} KiB; "
          f"{figure(metrics, 'jingu_stream_events_dropped_total'):.0f} events not pushed to phones that do not read")


def check(api, told):
    """Every delta that was answered is in the final text, and nothing else."""
    for name, count in told.items():
        address = {"channel_id": f"phone{name}", "channel_type": 1, "from_uid": "bot", "client_msg_no": f"ai-{name}"}
        final = api.post("/message/event", address | {"event_id": "end", "event_type": "stream.close"}).ok()
        assert final["stream_status"] == "closed"
        event, = api.post("/message/eventsync", address).ok()["events"]
        assert event["payload"].get("text", "").count(" ") == count, (name, count, event)


if __name__ == "__main__":
    main()
