#!/usr/bin/env python3
"""Tests the signatures of claim_name.py with the vectors of docs/protocol/vectors/proofs.json."""
import json
import pathlib
import unittest

import claim_name

VECTORS = pathlib.Path(__file__).parent.parent / "docs/protocol/vectors/proofs.json"


class ProofTest(unittest.TestCase):
    def test_signatures_are_those_of_the_vectors(self):
        checked = 0
        for vector in json.loads(VECTORS.read_text(encoding="utf-8")):
            if "seed" not in vector:
                continue
            seed, signed = bytes.fromhex(vector["seed"]), bytes.fromhex(vector["signed"])
            key, signature = claim_name.sign(seed, signed)
            self.assertEqual((key.hex(), signature.hex()), (vector["key"], vector["signature"]), vector["name"])
            if vector["binding"] in (0, 3):
                fingerprint = bytes.fromhex(vector["binding_data"]) if vector["binding"] == 3 else None
                made = claim_name.proof(seed, bytes.fromhex(vector["challenge"]), bytes.fromhex(vector["server_key"]),
                                        fingerprint)
                self.assertEqual(made["signature"], signature)
            checked += 1
        self.assertGreaterEqual(checked, 7)


if __name__ == "__main__":
    unittest.main()
