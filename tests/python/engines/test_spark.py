"""faiss_lbh.spark in a Spark of two threads that is started here. test_spark.py [cluster] [ROWS]: so many rows (4,000);
`cluster`: also a cluster of two executors, which are killed: a minute more."""
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest

import numpy as np
import pyarrow as pa
import pyarrow.parquet  # noqa: F401

import faiss_lbh

os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")  # short programs need no better code
from pyspark.ml import Pipeline, PipelineModel  # noqa: E402
from pyspark.ml.feature import VectorAssembler  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402
from pyspark.errors import PythonException  # noqa: E402

from faiss_lbh import parquet  # noqa: E402
from faiss_lbh.spark import LearnedHashing, LearnedHashingModel, build_shards, read_shard, search_shards  # noqa: E402

CLUSTER = "cluster" in sys.argv[1:2] and bool(sys.argv.pop(1))
ROWS = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 4000
D, NQ, K = 16, 20, 10
there = tempfile.mkdtemp()


def session(master):
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false") \
        .config("spark.ui.showConsoleProgress", "false") \
        .config("spark.sql.shuffle.partitions", "2").config("spark.default.parallelism", "2") \
        .config("spark.executor.memory", "512m").config("spark.sql.warehouse.dir", there) \
        .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def make(n):
    """Rows in clusters, in a Parquet file with small groups, so that there are several tasks."""
    rng = np.random.default_rng(7)
    label = rng.integers(0, 20, n)
    x = (rng.normal(size=(n, D)) + 2 * rng.normal(size=(20, D))[label]).astype(np.float32)
    ids = rng.permutation(2 * n)[:n]
    path = os.path.join(there, f"rows{n}")
    os.makedirs(path)
    for part in range(4):  # a file a task
        table = pa.table({"id": ids[part::4], "label": label[part::4], "v": parquet.vector_array(x[part::4])})
        pa.parquet.write_table(table, os.path.join(path, f"part{part}.parquet"), row_group_size=n // 8 + 1)
    return path, x, ids, label


def kill_once(flag, executor):
    """A pass over rows, which kills its worker, or the executor's JVM, the first time that it is run."""
    def run(batches):
        for batch in batches:
            try:
                os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                yield batch
                continue
            victim = os.getpid()
            if executor:  # worker, its daemon, the JVM
                for _ in range(2):
                    with open(f"/proc/{victim}/stat", encoding="utf-8") as file:
                        victim = int(file.read().rsplit(")", 1)[1].split()[1])
            os.kill(victim, signal.SIGKILL)
            time.sleep(60)
    return run


def by_id(frame, column):
    table = frame.select("id", column).toArrow()
    return dict(zip(table["id"].to_pylist(), table[column].to_pylist()))


class Spark(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spark = session("local[2,4]")
        print("Spark", cls.spark.version, "Java", cls.spark.sparkContext._jvm.System.getProperty("java.version"))
        cls.path, cls.x, cls.ids, cls.label = make(ROWS)
        cls.rows = cls.spark.read.parquet(cls.path)
        cls.model = LearnedHashing(inputCol="v", nbits=32, options={"steps": 200}, sampleRows=5000, seed=3).fit(cls.rows)

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()

    def codes(self, encoder=None, **more):
        encoder = encoder or self.model.encoder
        return dict(zip(self.ids.tolist(), (row.tobytes() for row in encoder.encode(self.x, **more))))

    def test_codes(self):
        start = time.time()
        found = by_id(self.model.transform(self.rows), "code")
        print(f"{len(found)} rows encoded and collected in {time.time() - start:.1f} s")
        self.assertEqual(found, self.codes())
        self.assertEqual(self.model.encoder.n_train, min(5000, ROWS))
        frame = self.model.transform(self.rows)
        self.assertEqual(frame.columns, ["id", "label", "v", "code"])
        msb = self.model.copy().setParams(bitOrder="msb", outputCol="bits")
        self.assertEqual(by_id(msb.transform(self.rows.limit(50)), "bits").items() -
                         self.codes(bit_order="msb").items(), set())
        one = LearnedHashingModel(self.model.encoder, inputCol="v", queries=True).transform(self.rows).limit(1).first()
        x = np.array([one["v"]], np.float32)
        self.assertEqual(bytes(one["code"]), self.model.encoder.encode_queries(x).tobytes())

    def test_the_same_again(self):
        again = LearnedHashing(inputCol="v", nbits=32, options={"steps": 200}, sampleRows=5000, seed=3).fit(self.rows)
        self.assertEqual(again.encoder.digest, self.model.encoder.digest)
        other = LearnedHashing(inputCol="v", nbits=32, options={"steps": 200}, sampleRows=5000, seed=4).fit(self.rows)
        self.assertNotEqual(other.encoder.digest, self.model.encoder.digest)

    def test_pipeline_save_load(self):
        rows = self.rows.limit(500).select("id", "label", *[F.col("v")[i].alias(f"x{i}") for i in range(D)]).cache()
        assembler = VectorAssembler(inputCols=[f"x{i}" for i in range(D)], outputCol="vector")
        hashing = LearnedHashing(inputCol="vector", method="itq-cca", nbits=16, labelCol="label")
        path = os.path.join(there, "estimator")
        hashing.save(path)
        self.assertEqual(LearnedHashing.load(path).extractParamMap(), hashing.extractParamMap())
        fitted = Pipeline(stages=[assembler, LearnedHashing.load(path)]).fit(rows)
        self.assertEqual(fitted.stages[1].encoder.method, "itq-cca")
        frame = fitted.transform(rows)  # Spark ML's vectors pass through
        self.assertEqual(frame.columns[-2:], ["vector", "code"])
        expected = by_id(frame, "code")
        place = {int(i): row for row, i in enumerate(self.ids)}
        for i, code in expected.items():
            self.assertEqual(bytes(code), fitted.stages[1].encoder.encode(self.x[place[i]][None]).tobytes())
        self.assertEqual(len(frame.first()["vector"]), D)
        path = os.path.join(there, "pipeline")
        fitted.write().overwrite().save(path)
        fitted.write().overwrite().save(path)
        loaded = PipelineModel.load(path)
        self.assertEqual(by_id(loaded.transform(rows), "code"), expected)
        self.assertEqual(loaded.stages[1].encoder.digest, fitted.stages[1].encoder.digest)

    def test_invalid_rows(self):
        good = self.x[:4].tolist()
        rows = self.spark.createDataFrame([(0, good[0]), (1, None), (2, good[2]), (3, [float("nan")] * D)],
                                          "id long, v array<float>").coalesce(1)
        with self.assertRaisesRegex(PythonException, "row 1 is null"):
            self.model.transform(rows).collect()
        codes = [row.tobytes() for row in self.model.encoder.encode(self.x[:4])]
        skipped = LearnedHashingModel(self.model.encoder, inputCol="v", handleInvalid="skip").transform(rows)
        self.assertEqual(by_id(skipped, "code"), {0: codes[0], 2: codes[2]})
        kept = LearnedHashingModel(self.model.encoder, inputCol="v", handleInvalid="keep").transform(rows)
        self.assertEqual(by_id(kept, "code"), {0: codes[0], 1: None, 2: codes[2], 3: None})
        for wrong in ({"handleInvalid": "drop"}, {"bitOrder": "big"}, {"nbits": 0}, {"method": "none"},
                      {"options": {"stops": 1}}):
            self.assertRaises(ValueError, LearnedHashing, inputCol="v", **wrong)
        self.assertRaises(ValueError, self.model.transform, self.rows.drop("v"))
        self.assertRaises(ValueError, self.model.setParams(outputCol="code").transform, self.rows.withColumn("code", F.lit(1)))

    def test_shards(self):
        queries = self.rows.orderBy("id").limit(NQ)
        given = queries.toArrow()
        q, names = parquet.matrix(given["v"]), given["id"].to_numpy()
        whole = faiss_lbh.Index(self.model.encoder, "IDMap2,BFlat").train(self.x[:100])
        path, start = os.path.join(there, "shards"), time.time()
        shards = build_shards(self.rows, whole, path, inputCol="v", shards=3)
        print(f"3 shards built in {time.time() - start:.1f} s")
        self.assertEqual([row["n"] for row in shards.select(F.sum("n").alias("n")).collect()], [ROWS])
        self.assertEqual(sorted(row["shard"] for row in shards.select("shard").collect()), [0, 1, 2])
        order = np.argsort(self.ids)  # equal distances by rising id, there as here
        whole.add(self.x[order], ids=self.ids[order])
        for more in {}, {"rescore": "margin", "k_factor": 5}, {"rescore": "decoder", "k_factor": 5}:
            found = search_shards(shards, queries, K, inputCol="v", **more).orderBy("query", "rank").toArrow()
            rank = np.argsort(names)
            np.testing.assert_array_equal(found["query"].to_numpy(), np.repeat(names[rank], K))
            np.testing.assert_array_equal(found["rank"].to_numpy(), np.tile(np.arange(1, K + 1), NQ))
            distances, ids = whole.search(q[rank], K, **more)
            if not more:  # of the codes that are equally near any may be ranked again
                np.testing.assert_array_equal(found["distance"].to_numpy(), distances.ravel())
                np.testing.assert_array_equal(found["id"].to_numpy(), ids.ravel())
            else:
                self.assertTrue((found["distance"].to_numpy() <= distances.ravel() + 1e-3).all())
        self.assertEqual(len(read_shard(shards, 2)), shards.where("shard = 2").first()["n"])
        again = build_shards(self.rows.repartition(7), faiss_lbh.Index(self.model.encoder, "IDMap2,BFlat")
                             .train(self.x[:100]), path + "2", inputCol="v", shards=3)
        self.assertEqual({r["shard"]: bytes(r["index"]) for r in again.collect()},
                         {r["shard"]: bytes(r["index"]) for r in shards.collect()})  # the same bytes
        self.assertRaises(ValueError, build_shards, self.rows, whole, path, inputCol="v")  # not empty
        with self.assertRaisesRegex(ValueError, "ids"):
            build_shards(self.rows, faiss_lbh.Index(self.model.encoder, "BFlat"), path, inputCol="v")

    def test_inner_products(self):
        some = self.rows.orderBy("id").limit(2000).cache()
        given = some.toArrow()
        x, ids = parquet.matrix(given["v"]), given["id"].to_numpy()
        index = faiss_lbh.Index("ITQ32,BIVF4,RFlat", metric="ip").train(x)
        shards = build_shards(some, index, os.path.join(there, "ip"), inputCol="v", shards=2)
        found = search_shards(shards, some.orderBy("id").limit(5), K, inputCol="v", nprobe=4, k_factor=200).orderBy("query", "rank")
        table = found.toArrow()
        q = parquet.matrix(some.orderBy("id").limit(5).toArrow()["v"])
        products = q @ x.T
        best = np.argsort(-products, axis=1)[:, :K]
        np.testing.assert_array_equal(table["id"].to_numpy(), ids[best].ravel())
        np.testing.assert_allclose(table["distance"].to_numpy(), np.take_along_axis(products, best, 1).ravel(), rtol=1e-4)

    def test_a_killed_worker(self):
        flag = os.path.join(there, "worker")
        rows = self.rows.mapInArrow(kill_once(flag, False), self.rows.schema)
        self.assertEqual(by_id(self.model.transform(rows), "code"), self.codes())
        self.assertTrue(os.path.exists(flag))


@unittest.skipUnless(CLUSTER, "by hand: test_spark.py cluster")
class Cluster(unittest.TestCase):
    """Executors of their own, one of which is killed while they encode, and one while they build shards."""

    def test_killed_executors(self):
        path, x, ids, _ = make(4001)
        spark = session("local-cluster[2,1,512]")
        self.addCleanup(spark.stop)
        encoder = faiss_lbh.Encoder("itq", 32).fit(x)
        rows = spark.read.parquet(path)
        flags = [os.path.join(there, "executor0"), os.path.join(there, "executor1")]
        killing = rows.mapInArrow(kill_once(flags[0], True), rows.schema)
        found = by_id(LearnedHashingModel(encoder, inputCol="v").transform(killing), "code")
        self.assertEqual(found, dict(zip(ids.tolist(), (row.tobytes() for row in encoder.encode(x)))))
        killing = rows.mapInArrow(kill_once(flags[1], True), rows.schema)
        index = faiss_lbh.Index(encoder, "BIVF4").train(x)
        shards = build_shards(killing, index, os.path.join(there, "killed"), inputCol="v", shards=3)
        self.assertTrue(all(map(os.path.exists, flags)))
        table = search_shards(shards, rows.where(F.col("id") == int(ids[5])), K, inputCol="v", nprobe=4) \
            .orderBy("rank").toArrow()
        distances, answers = faiss_lbh.HammingIndex(encoder.encode(x), ids).search(encoder.encode_queries(x[5:6]), K)
        np.testing.assert_array_equal(table["distance"].to_numpy(), distances[0])
        np.testing.assert_array_equal(table["id"].to_numpy(), answers[0])
        self.assertEqual(sum(row["n"] for row in shards.collect()), len(x))


if __name__ == "__main__":
    try:
        unittest.main()
    finally:
        shutil.rmtree(there, ignore_errors=True)
