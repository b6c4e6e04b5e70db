"""Starts and stops a server program for the tests of this folder."""
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time

START_S = 60


class Server:
    def __init__(self, program, *flags, wait=True, descriptors=None):
        self.folder = tempfile.mkdtemp(prefix="mcpd-test-")
        self.log_path = os.path.join(self.folder, "log")
        port_file = os.path.join(self.folder, "port")
        arguments = [program, "--data-dir", os.path.join(self.folder, "data"), "--port-file", port_file, *flags]
        if not any(flag.startswith("--listen") for flag in flags):
            arguments += ["--listen", "127.0.0.1:0"]

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(arguments, stderr=log, stdout=log, preexec_fn=limit)
        if wait:
            self.port = int(self._wait_for(port_file))
            self.address = ("127.0.0.1", self.port)

    def _wait_for(self, path):
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            if os.path.exists(path):
                with open(path) as file:
                    return file.read()
            time.sleep(0.005)
        raise AssertionError("the server did not start: " + self.log())

    def log(self):
        with open(self.log_path) as file:
            return file.read()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        return self.process.wait(seconds)

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(next(line for line in file if line.startswith(key + ":")).split()[1])

    def cpu_ticks(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
