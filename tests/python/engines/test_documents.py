"""What is written for engines that are not started here: Milvus, OpenSearch, Elasticsearch, Vespa. Bit order, signed
bytes, requests as their documents have them, and what the servers are asked to compute."""
import json
import unittest

from common_engines import K, N, Engine, codes, enc, faiss_lbh, ids, label, np, place, queries, query_codes, x  # noqa: F401

from faiss_lbh import stores
from faiss_lbh.stores import documents

SIZE = codes.shape[1]
BITS = np.unpackbits(codes, axis=1, bitorder="little")  # bit j of a code in column j


def big_endian(signed_bytes):
    """As Vespa's unpack_bits and Elasticsearch's dimensions."""
    return np.unpackbits(np.asarray(signed_bytes, np.int8).view(np.uint8), axis=-1)


class Documents(Engine):
    def test_bit_order(self):
        np.testing.assert_array_equal(big_endian(stores.signed(codes)), BITS)
        for i, digits in enumerate(stores.hexadecimal(codes[:50])):
            values = [int(digits[j:j + 2], 16) for j in range(0, 2 * SIZE, 2)]  # Vespa: two digits a cell of int8
            values = [v - 256 if v > 127 else v for v in values]
            np.testing.assert_array_equal(big_endian(values), BITS[i])
        self.assertTrue((stores.signed(codes) < 0).any())
        self.assertEqual(stores.bit_strings(codes[:5]), ["".join(map(str, row)) for row in BITS[:5]])
        np.testing.assert_array_equal(stores.from_bit_strings(stores.bit_strings(codes, 60)), codes)

    def test_bulk(self):
        lines = list(documents.bulk("items", ids, codes, label=label))
        self.assertEqual(len(lines), 2 * N)
        for i in (0, 7, N - 1):
            self.assertEqual(json.loads(lines[2 * i]), {"index": {"_index": "items", "_id": str(ids[i])}})
            body = json.loads(lines[2 * i + 1])
            self.assertEqual(body["label"], label[i])
            np.testing.assert_array_equal(big_endian(body["code"]), BITS[i])
        self.assertRaises(ValueError, lambda: list(documents.bulk("items", ids, codes, label=label[1:])))

    def test_vespa_feed(self):
        for i, line in enumerate(documents.vespa_feed("items", ids[:9], codes[:9], label=label[:9])):
            put = json.loads(line)
            self.assertEqual(put["put"], f"id:items:items::{ids[i]}")
            self.assertEqual(put["fields"]["label"], label[i])
            self.assertEqual(put["fields"]["code"], {"values": stores.hexadecimal(codes[i:i + 1])[0]})
        schema = documents.vespa_schema("items", 8 * SIZE, fields={"label": "int"})
        self.assertEqual((schema.count("{"), schema.count(f"tensor<int8>(b[{SIZE}])")), (schema.count("}"), 2))
        self.assertIn(f"tensor<float>(b[{8 * SIZE}])", schema)
        self.assertNotIn("hnsw", documents.vespa_schema("items", 64, hnsw=False))

    def test_mappings(self):
        field = documents.opensearch_index(8 * SIZE, properties={"label": {"type": "integer"}})["mappings"]["properties"]
        self.assertEqual((field["code"]["dimension"], field["code"]["data_type"], field["label"]["type"]),
                         (8 * SIZE, "binary", "integer"))
        self.assertEqual(field["code"]["method"]["space_type"], "hamming")
        field = documents.elasticsearch_index(8 * SIZE)["mappings"]["properties"]["code"]
        self.assertEqual((field["element_type"], field["dims"], field["similarity"]), ("bit", 8 * SIZE, "l2_norm"))
        for nbits, function in ((60, documents.opensearch_index), (4104, documents.elasticsearch_index),
                                (16008, documents.opensearch_index), (12, lambda n: documents.vespa_schema("a", n))):
            self.assertRaises(ValueError, function, nbits)
        self.assertRaises(ValueError, documents.elasticsearch_index, 64, kind="bbq")

    def test_margins_on_the_server(self):
        """The sums that Elasticsearch and Vespa compute rank as our margins do."""
        near = faiss_lbh.HammingIndex(codes, ids).search(query_codes, 100)[1]
        rows = np.vectorize(place.get)(near)
        scores, best = stores.rescore(enc, queries, near, codes[rows], 100, by="margin")
        z = np.zeros((len(queries), 8 * SIZE))
        z[:, :enc.nbits] = enc.project(queries, queries=True)
        for q in range(len(queries)):
            body = documents.elasticsearch_query(query_codes[q], K, candidates=100, values=z[q])
            script = body["rescore"]["query"]["rescore_query"]["script_score"]["script"]["params"]
            bits = big_endian(stores.signed(codes[rows[q]]))
            score = bits @ np.array(script["z"]) - script["least"]  # dotProduct: z where the bit is set
            self.assertGreaterEqual(score.min(), 0)
            by_id = dict(zip(near[q], score))
            cost = np.maximum(z[q], 0).sum() - script["least"] - np.array([by_id[i] for i in best[q]])
            np.testing.assert_allclose(cost, scores[q], atol=1e-3)
            vespa = documents.vespa_query("items", query_codes[q], K, values=z[q], where="label = 3")
            self.assertEqual((vespa["input.query(z)"], vespa["ranking.profile"]), (script["z"], "margin"))
            np.testing.assert_array_equal(big_endian(vespa["input.query(q)"]),
                                          np.unpackbits(query_codes[q], bitorder="little"))
        self.assertRegex(vespa["yql"], r"where \{targetHits: 100, approximate: true\}nearestNeighbor\(code, q\) and \(label = 3\)")

    def test_distances(self):
        d = np.arange(8 * SIZE + 1)
        np.testing.assert_array_equal(documents.opensearch_distances((1 / (1 + d)).astype(np.float32)), d)
        np.testing.assert_array_equal(documents.elasticsearch_distances(((64 - d) / 64).astype(np.float32), 64), d)
        query = documents.opensearch_query(query_codes[0], K, filter={"term": {"label": 3}}, fetch=True)
        near = query["query"]["knn"]["code"]
        self.assertEqual((near["k"], near["filter"], query["_source"]), (K, {"term": {"label": 3}}, ["code"]))


class Milvus(Engine):
    """The client's own checks of what is sent, and an answer as it gives one."""

    def setUp(self):
        super().setUp()
        try:
            import pymilvus
        except ImportError:
            self.skipTest("no pymilvus here")
        self.sent = sent = []

        class Recorder:
            create_schema = staticmethod(pymilvus.MilvusClient.create_schema)
            prepare_index_params = staticmethod(pymilvus.MilvusClient.prepare_index_params)

            def create_collection(self, name, **more):
                sent.append((name, more))

            def insert(self, name, rows):
                sent.append((name, rows))

            def search(self, name, **more):
                sent.append((name, more))
                found = faiss_lbh.HammingIndex(codes, ids).search(np.stack([np.frombuffer(b, np.uint8)
                                                                            for b in more["data"]]), more["limit"])
                return [[{"id": int(i), "distance": float(d), "entity": {"code": [codes[place[int(i)]].tobytes()]}}
                         for d, i in zip(*row)] for row in zip(*found)]

        self.client = Recorder()

    def test_requests(self):
        from faiss_lbh.stores import milvus
        from pymilvus.client.prepare import Prepare
        milvus.create(self.client, "items", 8 * SIZE, nlist=16, num_shards=2)
        name, more = self.sent.pop()
        more["schema"].verify()
        fields = {f["name"]: f for f in more["schema"].to_dict()["fields"]}
        self.assertEqual(fields["code"]["params"], {"dim": 8 * SIZE})
        self.assertEqual([i.to_dict()["index_type"] for i in more["index_params"]], ["BIN_IVF_FLAT"])
        self.assertEqual((name, more["num_shards"]), ("items", 2))
        milvus.add(self.client, "items", ids, codes, batch_rows=1000, label=label)
        self.assertEqual([len(rows) for _, rows in self.sent], [1000] * (N // 1000))
        request = Prepare.row_insert_param("items", self.sent[0][1], "", fields_info=more["schema"].to_dict()["fields"],
                                           enable_dynamic=True)
        sent = {f.field_name: f for f in request.fields_data}
        self.assertEqual(sent["code"].vectors.binary_vector, codes[:1000].tobytes())  # bytes as they are
        self.assertEqual(list(sent["id"].scalars.long_data.data), ids[:1000].tolist())
        self.assertRaises(ValueError, milvus.create, self.client, "items", 60)

    def test_answers(self):
        from faiss_lbh.stores import milvus
        self.same(milvus.search(self.client, "items", query_codes, K, filter="label == 3"))
        self.assertEqual(self.sent.pop()[1]["filter"], "label == 3")
        _, near, packed = milvus.candidates(self.client, "items", query_codes, 100, nprobe=4)
        np.testing.assert_array_equal(packed, codes[np.vectorize(place.get)(near)])
        self.assertEqual(self.sent.pop()[1]["search_params"], {"metric_type": "HAMMING", "params": {"nprobe": 4}})


if __name__ == "__main__":
    unittest.main()
