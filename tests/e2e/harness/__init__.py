"""What the end-to-end tests stand on: a server process, a client of our own, and the real SDKs.

Nothing here shares code with the server. The wire codec is written from the protocol's description and checked
against its published vectors (test_our_own_codec_matches_the_vectors.py), so that a mistake made twice cannot hide.
"""
