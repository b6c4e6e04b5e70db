"""The loop: in a thread of its own, and driven from asyncio."""

import asyncio
import gc
import os
import threading
import time
import unittest
import weakref

import mcptoken
from mcptoken import Events, Loop, Timer, Watch
from mcptoken.aio import Driver


class Own(unittest.TestCase):
    def setUp(self):
        self.loop = Loop()
        self.addCleanup(self.loop.close)

    def test_post_from_threads(self):
        seen = []
        threads = [threading.Thread(target=lambda n=n: [self.loop.post(lambda i=i: seen.append((n, i))) for i in range(200)])
                   for n in range(3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        self.loop.post(self.loop.stop)
        self.loop.run()
        self.assertEqual(len(seen), 600)
        for n in range(3):
            self.assertEqual([i for thread, i in seen if thread == n], list(range(200)))

    def test_timer(self):
        ticks = []
        timer = Timer(self.loop, lambda: (ticks.append(time.monotonic()), len(ticks) < 3 or self.loop.stop()))
        timer.start(5)
        start = time.monotonic()
        timer.start(0.02, 0.01)  # the last start counts
        self.loop.set_busy_poll(0.0001)
        self.loop.run()
        self.assertEqual(len(ticks), 3)
        self.assertGreaterEqual(ticks[0] - start, 0.019)
        timer.stop()
        with self.assertRaises(ValueError):
            timer.start(-1)

    def test_watch(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        seen = []

        def ready(events):
            seen.append((events, os.read(reader, 1)))
            self.loop.stop()

        watch = Watch(self.loop, reader, Events.READABLE, ready)
        os.write(writer, b"a")
        self.loop.run()
        watch.change(Events.NONE)
        os.write(writer, b"b")
        self.loop.run_once()
        watch.change(Events.READABLE)
        watch.expect()
        self.loop.run()
        self.assertEqual(seen, [(Events.READABLE, b"a"), (Events.READABLE, b"b")])
        watch.close()
        os.close(writer)
        with self.assertRaises(mcptoken.Error):
            Watch(self.loop, 9999, Events.READABLE, ready)

    def test_exception_comes_out(self):
        timer = Timer(self.loop, lambda: 1 / 0)
        timer.start(0)
        with self.assertRaises(ZeroDivisionError):
            self.loop.run()
        self.loop.post(lambda: [][1])
        with self.assertRaises(IndexError):
            self.loop.run()
        self.loop.run_once()

    def test_an_object_that_has_its_own_timer(self):
        """The timer's callback leads back to it: the collector gets both."""

        class Owner:
            def __init__(self, loop):
                self.timer = Timer(loop, self.tick)
                self.watch = Watch(loop, reader, Events.NONE, self.tick)

            def tick(self, *_):
                pass

        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        owner = Owner(self.loop)
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        self.assertIsNone(gone())

    def test_any_order_of_release(self):
        loop = Loop()
        timer = Timer(loop, lambda: None)
        timer.start(10)
        loop.close()
        timer.close()
        for use in (loop.run_once, loop.stop, lambda: timer.start(1), lambda: Timer(loop, print)):
            with self.assertRaises(mcptoken.Misuse):
                use()
        timer = Timer(Loop(), lambda: None)
        gc.collect()
        timer.start(1)
        del timer
        gc.collect()


class Foreign(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.loop = Loop()
        self.driver = Driver(self.loop)

    async def asyncTearDown(self):
        self.driver.close()
        self.loop.close()

    async def test_timer_is_on_time(self):
        done = asyncio.get_running_loop().create_future()
        timer = Timer(self.loop, lambda: done.set_result(time.monotonic()))
        late = []
        while not late or (min(late) >= 0.005 and len(late) < 50):  # a machine that does other things spoils one or the other
            done = asyncio.get_running_loop().create_future()
            start = time.monotonic()
            timer.start(0.05)
            self.driver.poke()
            late.append(await asyncio.wait_for(done, 10) - start - 0.05)
        self.assertGreaterEqual(min(late), -0.002)
        self.assertLess(min(late), 0.005)

    async def test_idle_costs_nothing(self):
        turns, run_once = [], self.loop.run_once
        self.loop.run_once = lambda: (turns.append(1), run_once())
        timer = Timer(self.loop, lambda: None)
        timer.start(5)
        self.driver.poke()
        await asyncio.sleep(1)
        self.assertGreater(len(turns), 0)
        self.assertLess(len(turns), 20)

    async def test_post_wakes_it(self):
        done = asyncio.get_running_loop().create_future()
        await asyncio.to_thread(self.loop.post, lambda: done.set_result(threading.get_ident()))
        self.assertEqual(await asyncio.wait_for(done, 10), threading.get_ident())

    async def test_exception_goes_to_asyncio(self):
        told = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.done() or told.set_result(context["exception"]))
        self.loop.post(lambda: 1 / 0)
        self.assertIsInstance(await asyncio.wait_for(told, 10), ZeroDivisionError)
        done = asyncio.get_running_loop().create_future()
        self.loop.post(lambda: done.set_result(None))
        await asyncio.wait_for(done, 10)
