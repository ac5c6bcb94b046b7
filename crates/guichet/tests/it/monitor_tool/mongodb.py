"""A server that speaks MongoDB's wire protocol (MockupDB), and misbehaves as it is told.

    mongodb.py serve BEHAVIOUR [PORT]    prints its port, then every document that it keeps, one on each line
    mongodb.py read URL                  prints the documents of a real server

A document that is there already is refused as MongoDB does it, with error 11000.
"""

import sys

import mockupdb
from bson import json_util

HELLO = {
    "ismaster": True,
    "ok": 1,
    "minWireVersion": 0,
    "maxWireVersion": 17,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
}


def say(line):
    print(line, flush=True)


def serve(behaviour, port):
    server = mockupdb.MockupDB(port=port, auto_ismaster=HELLO, request_timeout=3600)
    server.run()
    say(server.port)
    kept, inserts = set(), 0
    while True:
        request = server.receives()
        if request.command_name != "insert":
            # The words of a server may hold anything, what it was told included.
            if "sasl" in request.command_name.lower():
                request.replies({"ok": 0, "code": 18, "errmsg": "Authentication failed: " + json_util.dumps(request.doc)})
            else:
                request.ok()
            continue
        inserts += 1
        if behaviour == "refuses":
            request.replies({"ok": 0, "code": 13, "errmsg": "not authorized: " + json_util.dumps(request.doc)})
            continue
        if behaviour == "silent":
            continue
        errors = []
        for index, document in enumerate(request["documents"]):
            if behaviour == "picky" and document.get("app") == "billing":
                errors.append({"index": index, "code": 121, "errmsg": "Document failed validation"})
            elif document["_id"] in kept:
                errors.append({"index": index, "code": 11000, "errmsg": "E11000 duplicate key"})
            else:
                kept.add(document["_id"])
                say(json_util.dumps(document))
        if behaviour == "forgetful" and inserts == 1:
            # Everything is kept, and nobody hears of it.
            request.hangup()
            continue
        reply = {"ok": 1, "n": len(request["documents"]) - len(errors)}
        request.replies({**reply, "writeErrors": errors} if errors else reply)


def read(url):
    import pymongo

    database = pymongo.MongoClient(url).get_default_database("guichet")
    for document in database["monitor_log"].find():
        say(json_util.dumps(document))


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
else:
    read(sys.argv[2])
