"""scikit-learn's conventions, by its own checks where it is there."""
import unittest

from common import D, N, faiss_lbh, label, np, there_is, x


class Conventions(unittest.TestCase):
    def test_parameters(self):
        enc = faiss_lbh.Encoder("sgh", 16, metric="ip", steps=7)
        self.assertEqual(enc.get_params(), {"method": "sgh", "nbits": 16, "metric": "ip", "steps": 7})
        self.assertIs(enc.set_params(nbits=24, steps=9), enc)
        self.assertEqual((enc.nbits, enc.options["steps"]), (24, 9))
        with self.assertRaises(ValueError):
            enc.set_params(steps=-1)
        self.assertEqual(enc.options["steps"], 9)

    def test_bits(self):
        enc = faiss_lbh.Encoder("itq", 20)
        bits = enc.fit_transform(x)
        self.assertEqual((bits.shape, set(np.unique(bits))), ((N, 20), {0, 1}))
        np.testing.assert_array_equal(np.packbits(bits, axis=1, bitorder="little"), enc.encode(x))
        np.testing.assert_array_equal(enc.inverse_transform(bits), enc.decode(enc.encode(x)))
        self.assertEqual((enc.n_features_in_, list(enc.get_feature_names_out())[:2]), (D, ["bit0", "bit1"]))


@unittest.skipUnless(there_is("sklearn"), "no scikit-learn here")
class Sklearn(unittest.TestCase):
    def test_in_a_pipeline(self):
        from sklearn.base import clone
        from sklearn.model_selection import GridSearchCV
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        enc = faiss_lbh.Encoder("itq", 16)
        self.assertEqual(clone(enc.fit(x)).get_params(), enc.get_params())
        self.assertFalse(clone(enc).is_trained)
        pipeline = make_pipeline(StandardScaler(), faiss_lbh.Encoder("itq", 32), KNeighborsClassifier(metric="hamming"))
        search = GridSearchCV(pipeline, {"encoder__nbits": [8, 24]}, cv=2).fit(x, label)
        self.assertGreater(search.best_score_, .8)
        supervised = make_pipeline(faiss_lbh.Encoder("jmlh", 16, steps=100), KNeighborsClassifier(metric="hamming"))
        self.assertGreater(supervised.fit(x[:1000], label[:1000]).score(x[1000:], label[1000:]), .8)

    def test_its_checks(self):
        from sklearn.utils.estimator_checks import check_estimator
        try:
            results = check_estimator(faiss_lbh.Encoder("itq", 8), on_fail=None)
        except TypeError:
            self.skipTest("this scikit-learn cannot list what fails")
        failed = {r["check_name"]: str(r["exception"])[:200] for r in results if r["status"] == "failed"}
        # Arguments are checked when they are given, not when it is trained.
        failed.pop("check_do_not_raise_errors_in_init_or_set_params", None)
        self.assertEqual(failed, {})


if __name__ == "__main__":
    unittest.main()
