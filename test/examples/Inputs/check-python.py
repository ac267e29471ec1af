# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tests of the Python package: check-python.py FOLDER

FOLDER holds libtiny.so (a sentence encoder), libbert.so (two outputs, no text),
libapart.so (two adapters of it), libchat.so (a language model with a chat template),
libmute.so (one without text).
"""
import gc
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
import unittest

import attnc
import numpy as np

FOLDER = sys.argv[1]
TINY = os.path.join(FOLDER, "libtiny.so")
BERT = os.path.join(FOLDER, "libbert.so")
TEXTS = ["a cat sees the bird", "fish", "the sun is big"]
IDS = np.array([[2, 5, 12, 3], [2, 16, 3, 0]], np.int32)
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.int32)


class Recorder:
    """Stands before the library's table and keeps the addresses of buffers."""

    def __init__(self, table):
        self.table, self.addresses = table, []

    def __getattr__(self, name):
        return getattr(self.table, name)

    def call(self, session, entry, sizes, size_count, inputs, m, outputs, n):
        self.addresses = [b.data for b in [*inputs, *outputs]]
        return self.table.call(session, entry, sizes, size_count, inputs, m, outputs, n)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tiny, cls.bert = attnc.load(TINY, threads=2), attnc.load(BERT)

    @classmethod
    def tearDownClass(cls):
        cls.tiny.close()
        cls.bert.close()

    def refuses(self, kind, text, function, *arguments, **named):
        with self.assertRaises(kind) as caught:
            function(*arguments, **named)
        self.assertIn(text, str(caught.exception))
        return caught.exception


class Calls(Base):
    def test_three_ways(self):
        first = self.tiny.call("embed", input_ids=IDS, attention_mask=MASK)
        self.assertEqual((first.shape, first.dtype), ((2, 12), np.float32))
        again = self.tiny.embed(input_ids=IDS, attention_mask=MASK)
        third = self.tiny.embed({"input_ids": IDS}, attention_mask=MASK)
        self.assertEqual(first.tobytes(), again.tobytes())
        self.assertEqual(first.tobytes(), third.tobytes())
        self.assertTrue(np.abs(first).max() > 0)
        # One default given, None and left out are the same.
        whole = self.tiny.embed(input_ids=IDS, attention_mask=np.ones_like(IDS))
        default = self.tiny.embed(input_ids=IDS, attention_mask=None)
        self.assertEqual(whole.tobytes(), default.tobytes())
        self.assertNotEqual(whole.tobytes(), first.tobytes())

    def test_several_outputs(self):
        result = self.bert.call("encode", input_ids=IDS)
        self.assertEqual(result._fields, ("last_hidden_state", "pooler_output"))
        self.assertEqual(result.last_hidden_state.shape, (2, 4, 20))
        pooled = np.empty((2, 20), np.float32)
        second = self.bert.call("encode", input_ids=IDS, out={"pooler_output": pooled})
        self.assertIs(second.pooler_output, pooled)
        self.assertEqual(pooled.tobytes(), result.pooler_output.tobytes())
        self.refuses(TypeError, "a mapping of arrays", self.bert.call, "encode",
                     input_ids=IDS, out=pooled)

    def test_no_copies(self):
        recorder = Recorder(self.tiny._table)
        self.tiny._table = recorder
        try:
            out = np.empty((2, 12), np.float32)
            frozen = MASK.copy()
            frozen.flags.writeable = False
            result = self.tiny.embed(input_ids=IDS, attention_mask=frozen, out=out)
            self.assertIs(result, out)
            self.assertEqual(
                recorder.addresses,
                [IDS.ctypes.data, frozen.ctypes.data, None, out.ctypes.data])
            # Rows of a larger array are contiguous too.
            large = np.zeros((5, 12), np.float32)
            result = self.tiny.embed(input_ids=IDS[1:], out=large[3:4])
            self.assertEqual(recorder.addresses[0], IDS.ctypes.data + 16)
            self.assertEqual(recorder.addresses[3], large.ctypes.data + 3 * 48)
            self.assertTrue(large[3].any() and not large[:3].any() and not large[4].any())
            # convert=True copies only what needs it.
            self.tiny.embed(input_ids=IDS, attention_mask=MASK.astype(np.int64),
                            convert=True)
            self.assertEqual(recorder.addresses[0], IDS.ctypes.data)
        finally:
            self.tiny._table = recorder.table

    def test_types(self):
        expected = self.tiny.embed(input_ids=IDS).tobytes()
        wide = IDS.astype(np.int64)
        self.refuses(TypeError, "holds int64; expected int32: say .astype(np.int32)",
                     self.tiny.embed, input_ids=wide)
        self.refuses(ValueError, "not C-contiguous", self.tiny.embed, input_ids=IDS.T)
        padded = np.zeros((2, 8), np.int32)
        padded[:, ::2] = IDS
        self.refuses(ValueError, "not C-contiguous", self.tiny.embed,
                     input_ids=padded[:, ::2])
        unaligned = np.zeros(IDS.nbytes + 1, np.uint8)[1:].view(np.int32).reshape(2, 4)
        unaligned[:] = IDS
        self.refuses(ValueError, "not C-contiguous", self.tiny.embed, input_ids=unaligned)
        for array in (wide, padded[:, ::2], unaligned, np.asfortranarray(IDS),
                      IDS.astype(">i4"), IDS.astype(np.uint8)):
            result = self.tiny.embed(input_ids=array, convert=True)
            self.assertEqual(result.tobytes(), expected)
        self.assertEqual(self.tiny.embed(input_ids=IDS.tolist()).tobytes(), expected)
        # Values are never changed by a conversion.
        wide[0, 0] = 2**32 + 2
        self.refuses(ValueError, "4294967298; int32 holds", self.tiny.embed,
                     input_ids=wide, convert=True)
        self.refuses(TypeError, "does not convert", self.tiny.embed, input_ids=[[1.5]])
        self.refuses(TypeError, "does not convert", self.tiny.embed, input_ids=[["a"]])

    def test_shapes(self):
        embed = self.tiny.embed
        self.refuses(ValueError, "shape (4,); expected input_ids: i32[batch, seq]",
                     embed, input_ids=IDS[0])
        self.refuses(ValueError, "where input_ids makes seq = 4", embed,
                     input_ids=IDS, attention_mask=MASK[:, :3].copy())
        error = self.refuses(ValueError, "seq is 41; expected 1 to 40", embed,
                             input_ids=np.zeros((1, 41), np.int32))
        self.assertIsInstance(error, attnc.InvalidArgumentError)
        self.assertEqual(error.status, 1)
        self.refuses(ValueError, "batch is 0", embed, input_ids=np.zeros((0, 4), np.int32))
        self.refuses(attnc.Error, "input_ids[1] is 50; expected 0 to 49", embed,
                     input_ids=[[3, 50]])
        self.refuses(ValueError, "sizes makes seq = 5", embed, input_ids=IDS,
                     sizes={"seq": 5})
        self.refuses(TypeError, "no size past", embed, input_ids=IDS, sizes={"past": 5})

    def test_names(self):
        self.refuses(TypeError, "input_ids: i32[batch, seq] is missing",
                     self.tiny.embed, attention_mask=MASK)
        self.refuses(TypeError, "no input ids; expected embed(input_ids",
                     self.tiny.embed, input_ids=IDS, ids=IDS)
        self.refuses(AttributeError, "no entry 'nothing'; it has: encode, embed",
                     self.tiny.call, "nothing")
        self.refuses(AttributeError, "has the entries: encode, embed", getattr,
                     self.tiny, "nothing")
        self.assertIn("embed", dir(self.tiny))
        self.assertIn("input_ids: i32[batch, seq]", self.tiny.embed.__doc__)

    def test_out(self):
        def embed(out):
            return self.tiny.embed(input_ids=IDS, out=out)

        self.refuses(ValueError, "shape (2, 11); expected (2, 12)", embed,
                     np.empty((2, 11), np.float32))
        self.refuses(TypeError, "holds float64; expected float32", embed, np.empty((2, 12)))
        self.refuses(ValueError, "not C-contiguous", embed,
                     np.empty((12, 2), np.float32).T)
        self.refuses(TypeError, "is a list; expected an array", embed, [1.0])
        self.refuses(TypeError, "no output hidden", embed, {"hidden": IDS})
        frozen = np.empty((2, 12), np.float32)
        frozen.flags.writeable = False
        self.refuses(ValueError, "not writeable", embed, frozen)
        memory = np.zeros(24, np.int32)
        ids = memory[:8].reshape(2, 4)
        self.refuses(ValueError, "sentence_embedding and input_ids overlap",
                     self.tiny.embed, input_ids=ids,
                     out=memory.view(np.float32).reshape(2, 12))


class Texts(Base):
    def test_encode(self):
        vectors = self.tiny.encode(TEXTS)
        self.assertEqual((vectors.shape, vectors.dtype), ((3, 12), np.float32))
        one = self.tiny.encode(TEXTS[1])
        self.assertEqual(one.shape, (12,))
        self.assertEqual(one.tobytes(), vectors[1].tobytes())
        out = np.empty((3, 12), np.float32)
        self.assertIs(self.tiny.encode(TEXTS, out=out), out)
        self.assertEqual(out.tobytes(), vectors.tobytes())
        row = np.empty(12, np.float32)
        self.assertIs(self.tiny.encode(TEXTS[0].encode(), out=row), row)
        self.assertEqual(row.tobytes(), vectors[0].tobytes())
        self.assertEqual(self.tiny.encode([]).shape, (0, 12))
        self.assertEqual(self.tiny.encode(iter(TEXTS)).shape, (3, 12))
        self.assertEqual(self.tiny.encode(["", "a\0cat", "\ud800 \U0001f408"]).shape, (3, 12))
        many = self.tiny.encode(TEXTS * 50)
        self.assertEqual(many.tobytes(), np.tile(vectors, (50, 1)).tobytes())
        self.refuses(TypeError, "texts[1] is a int", self.tiny.encode, ["a", 7])
        self.refuses(ValueError, "shape (3, 12); expected (1, 12)", self.tiny.encode,
                     ["a"], out=out)

    def test_tokenize(self):
        rows = self.tiny.tokenize(TEXTS)
        self.assertEqual(list(rows), ["input_ids", "attention_mask", "token_type_ids"])
        self.assertEqual(rows["input_ids"].shape, (3, 7))
        self.assertEqual(self.tiny.embed(rows).tobytes(), self.tiny.encode(TEXTS).tobytes())
        pair = self.tiny.tokenize("a cat", "fish")
        self.assertEqual(int(pair["token_type_ids"].sum()),
                         int((pair["token_type_ids"] == 1).sum()))
        self.assertTrue(pair["token_type_ids"].any())
        self.assertEqual(self.tiny.tokenize(TEXTS, max_length=4)["input_ids"].shape, (3, 4))
        self.refuses(ValueError, "1 pairs for 3 texts", self.tiny.tokenize, TEXTS, ["a"])

    def test_no_text(self):
        self.refuses(attnc.UnavailableError, "no entry that turns text",
                     self.bert.encode, ["a"])


class Life(Base):
    def test_close(self):
        with attnc.load(TINY) as model:
            embed = model.embed
            embed(input_ids=IDS)
        self.assertTrue(model.closed)
        for call in (lambda: embed(input_ids=IDS), lambda: model.encode("a"),
                     model.info, lambda: model.tokenize("a"), model.cancel,
                     lambda: model.session_bytes("embed", batch=1, seq=1)):
            self.refuses(ValueError, "the model tiny is closed", call)
        model.close()
        self.assertEqual(self.tiny.embed(input_ids=IDS).shape, (2, 12))

    def test_dropped_models_and_threads_leave_nothing(self):
        def tasks():
            gc.collect()
            return len(os.listdir("/proc/self/task"))

        before = tasks()
        for _ in range(20):
            attnc.load(TINY, threads=3).encode("a cat")
        self.assertEqual(tasks(), before)
        sessions = self.tiny.info()["sessions"]
        for _ in range(5):
            thread = threading.Thread(target=lambda: self.tiny.encode(TEXTS))
            thread.start()
            thread.join()
        gc.collect()
        self.assertEqual(self.tiny.info()["sessions"], sessions)

    def test_threads(self):
        expected, wrong = self.tiny.encode(TEXTS).tobytes(), []

        def work(number):
            try:
                for _ in range(200):
                    if self.tiny.encode(TEXTS).tobytes() != expected:
                        wrong.append("bits differ")
                    bad = np.full((1, 1), 90 + number, np.int32)
                    self.refuses(ValueError, f"is {90 + number};", self.tiny.embed,
                                 input_ids=bad)
            except BaseException as error:  # told by the main thread
                wrong.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_close_and_cancel_while_others_call(self):
        for stop in ("cancel", "close"):
            model, errors = attnc.load(TINY), []
            ids, started = np.zeros((64, 40), np.int32), threading.Event()

            def work():
                try:
                    while True:
                        model.call("encode", input_ids=ids)
                        started.set()
                except Exception as error:
                    errors.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            started.wait()
            # The lock of Python is free during a call, or this would hang.
            while thread.is_alive():
                getattr(model, stop)()
                time.sleep(0.001)
            thread.join()
            expected = attnc.CancelledError if stop == "cancel" else ValueError
            self.assertEqual([type(error) for error in errors], [expected])
            if stop == "cancel":
                self.assertEqual(model.embed(input_ids=IDS).shape, (2, 12))
            model.close()

    def test_fork(self):
        expected = self.tiny.encode(TEXTS).tobytes()
        child = os.fork()
        if child == 0:
            os._exit(self.tiny.encode(TEXTS).tobytes() != expected)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


class Loading(Base):
    def test_options(self):
        with attnc.load(TINY, threads=3) as model:
            self.assertEqual(model.info()["threads"], 3)
            self.assertEqual(model.encode(TEXTS).tobytes(), self.tiny.encode(TEXTS).tobytes())
        name = self.tiny.description["variants"][0]["name"]
        with attnc.load(TINY, variant=name, weights=os.path.join(FOLDER, "tiny.weights")) as m:
            self.assertEqual(m.info()["variant"], name)
        with attnc.load(TINY, max_bytes=200000) as model:
            large = np.zeros((64, 40), np.int32)
            error = self.refuses(attnc.OutOfMemoryError, "max_bytes is 200000",
                                 model.embed, input_ids=large)
            self.assertIsInstance(error, MemoryError)
            self.assertEqual(model.embed(input_ids=IDS).shape, (2, 12))
        self.assertGreater(self.tiny.session_bytes("embed", batch=64, seq=40), 200000)
        self.refuses(ValueError, "seq is 99", self.tiny.session_bytes, "embed", batch=1, seq=99)

    def test_errors(self):
        load = attnc.load
        self.refuses(attnc.FileError, "cannot open", load, "/nothing/libtiny.so")
        self.refuses(ValueError, "not named libNAME.so", load, "tiny.so")
        self.refuses(attnc.UnavailableError, "no function other_library", load, TINY, name="other")
        self.refuses(ValueError, "threads is -1", load, TINY, threads=-1)
        self.refuses(ValueError, "out of range", load, TINY, threads=2**31)
        self.refuses(attnc.Error, "vax", load, TINY, variant="vax")
        error = self.refuses(attnc.FileError, "cannot open weights", load, TINY, weights="none")
        self.assertIsInstance(error, OSError)
        self.refuses(attnc.WeightsError, "of another", load, TINY,
                     weights=os.path.join(FOLDER, "bert.weights"))

    def test_renamed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model-1.so")
            shutil.copy(TINY, path)
            shutil.copy(os.path.join(FOLDER, "tiny.weights"), folder)
            with attnc.load(path, name="tiny") as model:
                self.assertEqual(model.encode("a").shape, (12,))

    def test_log(self):
        with self.assertLogs("attnc", logging.DEBUG) as logs:
            attnc.load(TINY).close()
        self.assertIn("variant", logs.output[0])


class Adapters(Base):
    def test_every_thread_chooses(self):
        with attnc.load(os.path.join(FOLDER, "libapart.so")) as model:
            self.assertEqual(model.adapters, ["tiny-bert-lora", "second"])

            def compute(name):
                model.choose_adapter(name)
                return model.call("encode", input_ids=IDS).pooler_output.tobytes()

            made = {name: compute(name) for name in (None, *model.adapters)}
            self.assertEqual(len(set(made.values())), 3)
            model.choose_adapter("second")
            others = {}
            thread = threading.Thread(
                target=lambda: others.update(
                    fresh=model.call("encode", input_ids=IDS).pooler_output.tobytes(),
                    lora=compute("tiny-bert-lora")))
            thread.start()
            thread.join()
            self.assertEqual(others, {"fresh": made[None],
                                      "lora": made["tiny-bert-lora"]})
            # Nobody else's choice is mine.
            again = model.call("encode", input_ids=IDS).pooler_output.tobytes()
            self.assertEqual(again, made["second"])
            self.refuses(attnc.InvalidArgumentError, "no adapter is named 'other'",
                         model.choose_adapter, "other")
            self.assertEqual(compute("second"), made["second"])
        self.assertEqual(self.bert.adapters, [])
        self.refuses(attnc.UnavailableError, "no adapters", self.bert.choose_adapter,
                     None)


class Generation(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chat = attnc.load(os.path.join(FOLDER, "libchat.so"))

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.chat.close()

    def test_generate(self):
        made = self.chat.generate("hello", max_tokens=9, temperature=0)
        self.assertIsInstance(made, attnc.Generated)
        self.assertEqual((len(made.ids), made.stop), (9, "length"))
        self.assertEqual(made.prompt_tokens, 5)
        # Each time from the beginning, and from ids as from text.
        self.assertEqual(self.chat.generate("hello", max_tokens=9, temperature=0), made)
        ids = self.chat.tokenize("hello")["input_ids"][0]
        self.assertEqual(self.chat.generate(ids, max_tokens=9, temperature=0), made)
        # The model's own settings draw: by the seed alone.
        drawn = [self.chat.generate("hello", max_tokens=30, temperature=3.0, seed=n).ids
                 for n in (1, 1, 2)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])

    def test_callback(self):
        heard = []
        whole = self.chat.generate("a", max_tokens=9, temperature=0,
                                   on_token=lambda *given: heard.append(given))
        self.assertEqual([token for token, _ in heard if token >= 0], whole.ids)
        self.assertEqual("".join(text for _, text in heard), whole.text)
        part = self.chat.generate("a", temperature=0, on_token=lambda *given: True)
        self.assertEqual((part.ids, part.stop), (whole.ids[:1], "caller"))

        def breaks(token, text):
            raise KeyError("mine")
        self.refuses(KeyError, "mine", self.chat.generate, "a", on_token=breaks)
        stopped = self.chat.generate("a", max_tokens=9, temperature=0,
                                     stop=whole.text[3:5])
        self.assertEqual(stopped.stop, "string")
        self.assertTrue(whole.text.startswith(stopped.text))

    def test_chat(self):
        messages = [{"role": "user", "content": "hi<|im_end|>"}]
        made = self.chat.chat(messages, max_tokens=5, temperature=0)
        self.assertEqual(made.stop, "length")
        self.assertEqual(self.chat.chat(messages, max_tokens=5, temperature=0), made)
        self.refuses(TypeError, "'content'", self.chat.chat, [{"role": "user"}])
        self.refuses(TypeError, "no option loud", self.chat.chat, messages, loud=1)
        long = [{"role": "user", "content": "a" * 99}]
        error = self.refuses(attnc.ContextFullError, "90 positions", self.chat.chat, long)
        self.assertIsInstance(error, ValueError)

    def test_refusals(self):
        self.refuses(attnc.UnavailableError, "no entry that generates",
                     self.tiny.generate, "a")
        self.refuses(attnc.UnavailableError, "no chat template", self.tiny.chat, [])
        self.refuses(ValueError, "top_p is 2", self.chat.generate, "a", top_p=2.0)
        with attnc.load(os.path.join(FOLDER, "libmute.so")) as mute:
            self.refuses(attnc.UnavailableError, "no tokenizer", mute.generate, "a")
            made = mute.generate([3, 4], max_tokens=2)
            self.assertEqual((made.text, len(made.ids)), ("", 2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=0)
