"""faiss_lbh.stores.lancedb, usearch and sqlite against those libraries, each as it comes from PyPI."""
import os
import unittest
from importlib.metadata import version

from common_engines import K, N, Engine, codes, enc, faiss_lbh, ids, label, np, ours, place, queries, query_codes, x

from faiss_lbh import stores

SIZE = codes.shape[1]


class Embedded(Engine):
    def ranked_again(self, near):
        """Candidates come with their codes, and are ranked as our own index ranks them."""
        distances, named, packed = near
        np.testing.assert_array_equal(packed, codes[np.vectorize(place.get)(named)])
        index = faiss_lbh.Index(enc, "IDMap2,BFlat").add(x, ids=ids)
        for by in "margin", "decoder":
            scores, best = stores.rescore(enc, queries, named, packed, K, by=by)
            for q in range(len(queries)):  # our index, asked for the same candidates
                theirs = index.search(queries[q], K, filter=named[q], rescore=by, k_factor=20)
                np.testing.assert_array_equal(best[q], theirs[1])
                np.testing.assert_array_equal(scores[q], theirs[0])

    def test_lancedb(self):
        import lancedb
        from faiss_lbh.stores import lancedb as store
        print("LanceDB", version("lancedb"))
        connection = lancedb.connect(self.there)
        store.add(connection, "items", ids[:1000], codes[:1000], x[:1000], label=label[:1000])
        table = store.add(connection, "items", ids[1000:], codes[1000:], x[1000:], label=label[1000:])
        self.assertEqual(table.count_rows(), N)
        self.same(store.search(table, query_codes, K))
        self.same(store.search(table, query_codes, K, where="label = 2"), keep=label == 2)
        self.ranked_again(store.candidates(table, query_codes, 100))
        self.assertEqual(store.search(table, query_codes[:1], N + 3)[1][0, -3:].tolist(), [-1] * 3)
        store.index(table, partitions=8)
        self.assertEqual(table.list_indices()[0].index_type, "IvfFlat")
        self.same(store.search(table, query_codes, K, nprobes=8))
        self.same(store.search(table, query_codes, K, nprobes=1, exact=True))
        self.assertGreater(self.recall(store.search(table, query_codes, K, nprobes=2)), .5)
        self.assertEqual(store.search(table, query_codes[:1], N, nprobes=1)[1][0, -1], -1)  # one list, not all
        near = ours.search(query_codes, 1)[1][:, 0]
        table.delete(f"id IN ({', '.join(map(str, near))})")
        self.same(store.search(table, query_codes, K, exact=True), keep=~np.isin(ids, near))
        again = lancedb.connect(self.there).open_table("items")
        self.same(store.search(again, query_codes, K, nprobes=8), keep=~np.isin(ids, near))

    def test_usearch(self):
        from usearch.index import Index, Indexes
        from faiss_lbh.stores import usearch as store
        print("USearch", version("usearch"))
        index = store.build(ids, codes)
        self.same(store.search(index, query_codes, K, exact=True))
        self.assertGreater(self.recall(store.search(index, query_codes, K)), .95)
        self.ranked_again(store.candidates(index, query_codes, 100, exact=True))
        path = os.path.join(self.there, "codes.usearch")
        index.save(path)
        self.same(store.search(Index.restore(path, view=True), query_codes, K, exact=True))
        near = ours.search(query_codes, 1)[1][:, 0]
        for i in set(near.tolist()):
            index.remove(i)
        self.same(store.search(index, query_codes, K, exact=True), keep=~np.isin(ids, near))
        self.assertEqual(store.search(index, query_codes[:1], N, exact=True)[1][0, -1], -1)
        # shards
        parts = [store.build(ids[i::2], codes[i::2]) for i in range(2)]
        merged = Indexes(indexes=parts)
        found = [merged.search(code, K, exact=True) for code in query_codes]
        self.same((np.stack([np.asarray(m.distances) for m in found]),
                   np.stack([np.asarray(m.keys).astype(np.int64) for m in found])))
        self.assertRaises(ValueError, store.build, -ids, codes)
        self.assertRaises(ValueError, store.search, index, query_codes[:, :3])

    def test_sqlite(self):
        from faiss_lbh.stores import sqlite
        path = os.path.join(self.there, "codes.db")
        try:
            connection = sqlite.connect(path)
        except ImportError as error:
            self.skipTest(str(error))
        print("SQLite", connection.execute("SELECT sqlite_version()").fetchone()[0], "sqlite-vec",
              connection.execute("SELECT vec_version()").fetchone()[0], "by", type(connection).__module__)
        sqlite.create(connection, 'it"ems', 8 * SIZE, columns={"label": "integer", "part": "integer partition key",
                                                              "+title": "text"})
        sqlite.add(connection, 'it"ems', ids, codes, label=label, part=label % 2, title=[f"row {i}" for i in ids])
        self.same(sqlite.search(connection, 'it"ems', query_codes, K))
        self.same(sqlite.search(connection, 'it"ems', query_codes, K, where="label = ?", parameters=[2]), keep=label == 2)
        self.same(sqlite.search(connection, 'it"ems', query_codes, K, where="part = 1"), keep=label % 2 == 1)
        self.ranked_again(sqlite.candidates(connection, 'it"ems', query_codes, 100))
        self.assertEqual(sqlite.search(connection, 'it"ems', query_codes[:1], N + 3)[1][0, -3:].tolist(), [-1] * 3)
        near = ours.search(query_codes, 1)[1][:, 0].tolist()
        with connection:
            connection.executemany('DELETE FROM "it""ems" WHERE id = ?', [(i,) for i in set(near)])
        connection.close()
        connection = sqlite.connect(path)
        self.same(sqlite.search(connection, 'it"ems', query_codes, K), keep=~np.isin(ids, near))
        title = connection.execute('SELECT title FROM "it""ems" WHERE id = ?', (int(ids[0]),)).fetchone()
        self.assertIn(title, [(f"row {ids[0]}",), None])
        with self.assertRaisesRegex(ValueError, "whole number of bytes"):
            sqlite.create(connection, "odd", 12)
        with self.assertRaises(Exception):  # an id that is there: nothing was added
            sqlite.add(connection, 'it"ems', [10 ** 6, int(ids[-1])], codes[:2], label=[1, 1], part=[0, 0], title="ab")
        self.assertEqual(connection.execute('SELECT count(*) FROM "it""ems"').fetchone()[0], N - len(set(near)))
        connection.close()


if __name__ == "__main__":
    unittest.main()
