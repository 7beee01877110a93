"""Push what `dvc.lock` names to a store, pull it into another tree, prune what is unnamed.

DVC moves the objects. The lock itself travels last on the way up, so that it never names what is
absent, and on the way down it replaces the tree's own only when everything it names lies here
(docs/decisions/lock-in-the-store.md). Each function's caller holds the tree.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from configobj import ConfigObj

from assets.graph import nodes
from mm_model.errors import UserError
from mm_model.run.stages import listed
from mm_model.settings import load_params
from mm_model.settings.listed import NAME as LIST
from mm_model.store import atomic, digests, streamed
from mm_model.store.objects import ENDPOINT
from orchestration import address, objects, views
from orchestration.bucket import OBJECTS, Bucket
from orchestration.dvc_command import dvc, environment, mend_lock
from orchestration.folder import Folder
from orchestration.objects import Cache, Output
from orchestration.process_group import ProcessGroup

Say = Callable[[str], None]
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
_KEPT = Path("work/locks")


@dataclass
class Transfer:
    """One tree and the object store that it named.

    `say` is given one line at a time; `views` are the commands of `mm_model` that rebuild what is
    shown of outputs after they changed.

    Raises:
        UserError: no store is named, it does not answer, or the settings are not valid.
    """

    root: Path
    say: Say
    views: Sequence[str] = ("catalogue", "page")

    def __post_init__(self) -> None:
        self.remote = address.read(self.root)
        self.profile = load_params(self.root).profile
        self.bucket = Folder(self.remote) if self.remote.is_folder else Bucket(self.remote)
        self.bucket.look()

    @property
    def _lock(self) -> Path:
        return self.root / "dvc.lock"

    @cached_property
    def cache(self) -> Cache:
        """This tree's cache, wherever DVC's settings put it."""
        said = self._dvc("cache", "dir", cwd=self.root)
        return Cache(self.root / said[-1] / OBJECTS)

    def push(self, *, partly: bool = False) -> str:
        """Push the profile's outputs, then its lock; return the digest of that.

        With `partly` a lock that also knows other profiles (one was changed half-way) is pushed
        without them.

        Raises:
            UserError: nothing ran, the lock is also of another profile, or the store lacks
                something afterwards.
        """
        lock = self._lock.read_bytes() if self._lock.is_file() else b"stages: {}"
        own, others = objects.of_profile(objects.outputs(lock), self.profile)
        if not any(one.stage in nodes() for one in own):
            raise UserError(f"No stage of profile {self.profile} has run here: make run first.")
        if gone := objects.unlisted(own, listed(self.root)):
            self.say(f"Listed no more, and not pushed: {_names(gone)}.")
            own, lock = [one for one in own if one not in gone], objects.without(lock, gone)
        if others and partly:
            lock = objects.without(lock, others)
        elif others:
            raise UserError(
                f"dvc.lock still names stage {others[0].stage} of another profile "
                f"({others[0].path}): make run brings it up to date."
            )
        if undone := [name for name in nodes() if name not in {one.stage for one in own}]:
            self.say(f"Not made yet, and not pushed: {', '.join(undone)}.")
        before = self._there()
        self._dvc("push", cwd=self.root)
        for one in self._wanting(own):  # DVC remembers what it saw there, and passes it by
            if not self.cache.holds(one.digest):
                raise UserError(
                    f"An object of {one.path} lies in neither this tree's cache nor the store: "
                    f"remove data/{self.profile}/{one.stage}, make run, then make push."
                )
            self.bucket.put(one.remote, one.digest, self.cache.path(one.digest))
        self.bucket.put_lock(self.profile, lock, self.commit())
        after = self._there()
        new = {key: size for key, size in after.items() if key not in before}
        self.say(
            f"Pushed profile {self.profile} to {self._urls()}: {len(new)} new objects, "
            f"{sum(new.values()):,} bytes; {len(after)} lie there."
        )
        if said := self._shards(own):
            self.say(f"A training may read its shards there: {said}.")
        return digests.of_bytes(lock)

    def _shards(self, own: list[Output]) -> str:
        """The setting by which a training reads its shards in the store; "" if there are none."""
        remote = next((out.remote for out in own if streamed.has_shards(out.stage)), None)
        if remote is None or self.remote.is_folder:
            return ""
        place = self.remote.places[remote]
        server = f" {ENDPOINT}={self.remote.endpoint}" if self.remote.endpoint else ""
        return f"{streamed.VARIABLE}={place.url}{server}"

    def pull(self, wanted: str | None = None, *, keep: bool = True, shards: bool = True) -> None:
        """Bring the profile's outputs and lock here; without `shards` those of training stay there.

        Nothing of the tree changes before everything lies in its cache. A lock that stood here is
        kept in `work/locks` (but for `keep`), its outputs stay in the cache.

        Args:
            wanted: the digest of the only lock that will do.

        Raises:
            UserError: nothing was pushed, another lock than `wanted` was, an object is absent or
                damaged, or an output that DVC does not know lies in the way.
        """
        if not shards and self.remote.is_folder:
            raise UserError("SHARDS=0 leaves shards in a bucket: from a folder pull all.")
        lock, commit = self._pushed(wanted)
        own, others = objects.of_profile(objects.outputs(lock), self.profile)
        if others:
            raise UserError(f"The lock in the store names {others[0].path}: push it again.")
        if strange := objects.unlisted(own, listed(self.root)):
            self.say(f"Not listed in {LIST} here, and left there: {_names(strange)}.")
            own, lock = [one for one in own if one not in strange], objects.without(lock, strange)
        left = [] if shards else self._but_shards(own)
        self._fetch(lock, own, left)
        old = self._lock.read_bytes() if self._lock.is_file() else b""
        kept = self._keep(old, lock) if keep else None
        atomic.write_bytes(self._lock, lock)
        try:
            # by name: what was not made yet is no target that failed
            self._dvc("checkout", *(left or sorted({one.stage for one in own})), cwd=self.root)
        except BaseException:
            atomic.write_bytes(self._lock, old or b"schema: '2.0'\nstages: {}\n")
            raise
        self.say(f"Pulled profile {self.profile} from {self._urls()}: {len(own)} outputs.")
        if not shards:
            self.say(f"The shards of training stay there: read them with {self._shards(own)}.")
        if kept is not None:
            self.say(
                f"What DVC knew here before stays in its cache: cp {kept} dvc.lock && "
                ".venv/bin/dvc checkout --allow-missing brings it back."
            )
        here = self.commit()
        if commit and here and commit != here:
            self.say(
                f"It was pushed from commit {commit[:10]}, here lies {here[:10]}: stages whose "
                "own files differ run again."
            )
        views.rebuild(self.root, self.views, lambda line: self.say(_unseen(line)))

    def _pushed(self, wanted: str | None) -> tuple[bytes, str]:
        """The lock in the store and the commit it came from."""
        found = self.bucket.lock(self.profile)
        if found is None:
            lying = self.bucket.profiles()
            known = f"; there are {', '.join(lying)}" if lying else ""
            raise UserError(
                f"Nothing of profile {self.profile} lies in {self._urls()}{known}: make push "
                "where it was made, or choose another with make run PROFILE=..."
            )
        if wanted is not None and digests.of_bytes(found[0]) != wanted:
            raise UserError(
                f"Somebody else pushed profile {self.profile} to {self._urls()} meanwhile: run "
                "again, or give each of them a prefix of its own."
            )
        return found

    def prune(self) -> None:
        """Delete from the store, and from this tree's cache, what no lock names any more.

        Counted are this tree's lock and each profile's lock in the store. Nobody may push
        meanwhile: what is not named yet would go too.

        Raises:
            UserError: this tree's lock is not the one in the store, or DVC refused.
        """
        here = self._lock.read_bytes() if self._lock.is_file() else b""
        found = self.bucket.lock(self.profile)
        if found is None or found[0] != here:
            raise UserError(
                f"dvc.lock here is not the one in {self._urls()}: make push (or make pull) first."
            )
        before = self._there()
        projects = []
        for profile in self.bucket.profiles():
            if profile != self.profile and (other := self.bucket.lock(profile)) is not None:
                projects.append(self._aside(f"prune-{profile}", other[0]))
        asked = ["--projects", *map(str, projects)] if projects else []
        self._dvc("gc", "--workspace", "--cloud", "--force", *asked, cwd=self.root)
        for project in projects:
            shutil.rmtree(project)
        after = self._there()
        gone = {key: size for key, size in before.items() if key not in after}
        self.say(
            f"Deleted from {self._urls()}: {len(gone)} objects, {sum(gone.values()):,} bytes; "
            f"{len(after)} are named and stay."
        )
        for bucket in self.bucket.keeps_versions():
            self.say(f"Bucket {bucket} keeps versions of what is deleted: delete those there.")

    def _but_shards(self, own: list[Output]) -> list[str]:
        """Paths of all outputs, file by file where an output has shards, which are left out."""
        wanted = []
        for out in own:
            if not streamed.has_shards(out.stage):
                wanted.append(out.path)
                continue
            if not self.cache.holds(out.digest):
                self.bucket.get(out.remote, out.digest, self.cache.path(out.digest))
            files = list(self.cache.objects(out))[1:]
            wanted += [path for _, path in files if not streamed.is_shard(out.stage, path)]
        return wanted

    def _fetch(self, lock: bytes, own: list[Output], wanted: list[str]) -> None:
        """Have every object of the lock (of the `wanted` paths, if there are any) in this tree's
        cache, and change nothing else.
        """
        project, refused = self._aside("pull", lock), None
        try:
            self._dvc("fetch", *wanted, cwd=project)
        except UserError as error:
            refused = error
        if lacking := self._lacking(own, shards=not wanted):
            lying = self._there()
            absent = [path for digest, path in lacking if digest not in lying]
            if absent:
                raise UserError(
                    f"{self._urls()} lacks {len(absent)} objects that its lock names, first that "
                    f"of {absent[0]}: make push again where it was made."
                )
            digest, path = lacking[0]
            raise refused or UserError(
                f"{len(lacking)} objects did not arrive whole, first that of {path}: run again; "
                f"where that does not help, delete {OBJECTS}/{digest[:2]}/{digest[2:]} in the "
                "store and make push again where it was made."
            )
        shutil.rmtree(project)

    def _lacking(self, own: list[Output], shards: bool) -> list[tuple[str, str]]:
        """Digest and path of what the outputs need, with or without shards, and this tree's cache
        lacks.
        """
        return [
            (digest, path)
            for out in own
            for digest, path in self.cache.objects(out)
            if (shards or not streamed.is_shard(out.stage, path)) and not self.cache.holds(digest)
        ]

    def _aside(self, name: str, lock: bytes) -> Path:
        """A throw-away project that holds this lock, with this tree's cache and remotes."""
        project = self.root / ".dvc" / "tmp" / name
        shutil.rmtree(project, ignore_errors=True)
        (project / ".dvc").mkdir(parents=True)
        shutil.copy(self.root / ".dvc" / "config", project / ".dvc" / "config")
        local = ConfigObj((self.root / ".dvc" / "config.local").read_text().splitlines())
        local.setdefault("core", {})["no_scm"] = "true"
        local.setdefault("cache", {})["dir"] = str(self.cache.files.parents[1].resolve())
        lines = "".join(f"{line}\n" for line in local.write())
        (project / ".dvc" / "config.local").write_text(lines)
        (project / "dvc.lock").write_bytes(objects.plain(lock))
        stages = {
            objects.plainly(one.stage): {
                "cmd": "true",
                "outs": [{one.path: {"remote": one.remote}}],
            }
            for one in objects.outputs(lock)
        }
        (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        return project

    def _keep(self, old: bytes, new: bytes) -> Path | None:
        """Keep a lock that is about to be replaced; where, or None if it holds nothing else."""
        if old == new or not old or not objects.outputs(old):
            return None
        kept = _KEPT / f"dvc-{digests.of_bytes(old)[:12]}.lock"
        atomic.write_bytes(self.root / kept, old)
        return kept

    def _there(self) -> dict[str, int]:
        return {
            digest: size
            for name in self.remote.places
            for digest, size in self.bucket.objects(name).items()
        }

    def _wanting(self, outs: list[Output]) -> list[Output]:
        """What the outputs need and their own place in the store lacks, or has of another size."""
        lying = {name: self.bucket.objects(name) for name in self.remote.places}
        found = []
        for out in outs:
            for digest, path in self.cache.objects(out):
                size = lying[out.remote].get(digest)
                here = self.cache.path(digest)
                unknown = not self.cache.holds(out.digest)  # what its folder holds is not known
                if size is None or unknown or (here.is_file() and here.stat().st_size != size):
                    found.append(Output(out.stage, path, digest, out.remote))
        return found

    def _urls(self) -> str:
        return self.remote.places[address.STORE].url

    def commit(self) -> str:
        """The commit of this tree; "" without git."""
        asked = ["git", "-C", str(self.root), "rev-parse", "HEAD"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def _dvc(self, *arguments: str, cwd: Path) -> list[str]:
        mend_lock(cwd)
        with ProcessGroup(dvc(*arguments), cwd, environment(self.root)) as group:
            lines = list(group.lines())
            failed = group.wait()
        if not failed:
            return lines
        said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
        reason = _unseen((said or lines or ["no reason given"])[0].rstrip(".:"))
        if "unsaved files" in reason:
            here = next((line for line in lines if line.startswith(str(self.root))), "")
            shown = here.removeprefix(f"{self.root}{os.sep}") or "an output"
            raise UserError(
                f"{shown} is not what any run of DVC left here, and would be lost: move it away, "
                "then make pull again."
            )
        raise UserError(f"dvc {arguments[0]} failed ({reason}): what was moved is kept, run again.")


def _names(outs: list[Output]) -> str:
    return ", ".join(one.stage for one in outs)


def _unseen(line: str) -> str:
    """The line without what the environment says of who we are, should a library print it."""
    for name in _SECRETS:
        if value := os.environ.get(name):
            line = line.replace(value, "***")
    return line
