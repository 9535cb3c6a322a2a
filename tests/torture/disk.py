# SPDX-License-Identifier: MIT
"""What a disk may hold after a power cut, from a trace of system calls.

Durable is what was synced: the content of a file by fsync() of it, its name by fsync() of its
folder.  Of what was not, anything may be there or not: names in any combination, each rename() as
a whole; content empty, torn or whole.  A rename that is on disk before the content of what it
renames is what makes files of zero length on ext4, UBIFS and others.
"""
import os
import random
import re
import stat

CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
FD = re.compile(r"(\d+)<")


class Node:
    """A file, a folder or a link; .now is its content, .safe what of it is durable."""

    def __init__(self, kind, mode, now):
        self.kind, self.mode, self.now = kind, mode, now
        self.safe = {"file": b"", "dir": {}, "link": now}[kind]
        self.pending = []  # of a folder: changes since it was synced, each {name: node or None}


class Crash:
    """One state; .sent: a request may have left."""

    def __init__(self, tree, sent, at):
        self.tree, self.sent, self.at = tree, sent, at

    def write(self, folder, tree=None):
        for name, (kind, mode, content) in (self.tree if tree is None else tree).items():
            path = os.path.join(folder, name)
            if kind == "link":
                os.symlink(content, path)
            elif kind == "dir":
                os.mkdir(path, 0o700)
                self.write(path, content)
            else:
                with open(path, "wb") as file:
                    file.write(content)
            if kind != "link":
                os.chmod(path, mode)

    def names(self, tree=None, folder=""):
        for name, (kind, _, content) in (self.tree if tree is None else tree).items():
            if kind == "dir":
                yield from self.names(content, folder + name + "/")
            else:
                yield "%s%s(%d)" % (folder, name, len(content))

    def __str__(self):
        return "%s, with %s" % (self.at, " ".join(self.names()))


class Disk:
    def __init__(self, home, files):
        self.home, self.root = home, Node("dir", 0o755, {})
        self.fds, self.sent = {}, False
        for name in sorted(files):
            mode, content = files[name]
            kind = "dir" if content is None else "link" if stat.S_ISLNK(mode) else "file"
            node = Node(kind, stat.S_IMODE(mode), {} if content is None else content)
            node.safe = node.now if kind != "dir" else {}
            parent, base = self.find(name)
            parent.now[base] = parent.safe[base] = node

    def find(self, path):
        """(folder, name in it), or (None, "") outside; links in between are followed."""
        path = os.path.normpath(os.path.join(self.home, path))
        if path != self.home and not path.startswith(self.home + "/"):
            return None, ""
        node, parts = self.root, os.path.relpath(path, self.home).split("/")
        for part in parts[:-1]:
            node = node.now.get(part) if node and node.kind == "dir" else None
            if node and node.kind == "link":
                parent, base = self.find(node.now)
                node = parent.now.get(base) if parent else None
        return (node, parts[-1]) if node and node.kind == "dir" else (None, "")

    def node(self, path):
        if os.path.normpath(os.path.join(self.home, path)) == self.home:
            return self.root
        parent, base = self.find(path)
        return parent.now.get(base) if parent else None

    def change(self, folder, names):
        for name, node in names.items():
            if node is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = node
        folder.pending.append(names)

    # -- System calls that have succeeded; each says whether it has changed anything.

    def call(self, name, text, result):
        strings = [bytes.fromhex(s.replace("\\x", "")) for s in STRING.findall(text)]
        paths = [s.decode(errors="surrogateescape") for s in strings]
        fd = FD.match(text)
        fd = int(fd.group(1)) if fd else -1
        step = getattr(self, "do_" + name.replace("at", "", name.endswith("at")), None)
        return step(fd, paths, strings, text, result) if step else False

    def do_open(self, _, paths, __, text, result):
        node, parent = self.node(paths[0]), self.find(paths[0])
        self.fds.pop(result, None)
        changed = node is None and "O_CREAT" in text and parent[0] is not None
        if changed:
            node = Node("file", int(text.rsplit(" ", 1)[1], 8), b"")
            self.change(parent[0], {parent[1]: node})
            self.sent = self.sent or False
        if node:
            self.fds[result] = [node, 0]
            node.name = parent[1] if parent[0] else ""
        return changed

    def do_close(self, fd, *_):
        self.fds.pop(fd, None)
        return False

    def do_lseek(self, fd, _, __, ___, result):
        if fd in self.fds:
            self.fds[fd][1] = result
        return False

    def do_write(self, fd, _, strings, __, result):
        if fd not in self.fds:
            return False
        node, at = self.fds[fd]
        node.now = node.now[:at].ljust(at, b"\0") + strings[0][:result] + node.now[at + result:]
        self.fds[fd][1] += result
        return True

    def do_ftruncate(self, fd, _, __, text, ___):
        if fd not in self.fds:
            return False
        size = int(text.rsplit(" ", 1)[1])
        self.fds[fd][0].now = self.fds[fd][0].now[:size].ljust(size, b"\0")
        return True

    def do_fallocate(self, fd, _, __, text, ___):
        if fd not in self.fds:
            return False
        size = int(text.rsplit(" ", 1)[1])
        self.fds[fd][0].now = self.fds[fd][0].now.ljust(size, b"\0")
        return True

    def do_fsync(self, fd, *_):
        if fd not in self.fds:
            return False
        node = self.fds[fd][0]
        if node.kind == "dir":
            node.safe, node.pending = dict(node.now), []
            # The request's name is durable: from here on it may be on its way.
            self.sent = self.sent or any(name.endswith(".est-csr") for name in node.now)
        else:
            node.safe = node.now
        return True

    def do_fchmod(self, fd, _, __, text, ___):
        if fd in self.fds:
            self.fds[fd][0].mode = int(text.rsplit(" ", 1)[1], 8)
        return False

    def do_chmod(self, _, paths, __, text, ___):
        node = self.node(paths[0])
        if node:
            node.mode = int(text.rsplit(" ", 1)[1], 8)
        return False

    def do_rename(self, _, paths, *__):
        (old, a), (new, b) = self.find(paths[0]), self.find(paths[1])
        if not old or not new:
            return False
        node = old.now[a]
        if new.now.get(b) is node:
            return False
        if old is new:
            self.change(old, {b: node, a: None})
        else:
            self.change(new, {b: node})
            self.change(old, {a: None})
        return True

    def do_link(self, _, paths, *__):
        parent, base = self.find(paths[1])
        if parent:
            self.change(parent, {base: self.node(paths[0])})
        return parent is not None

    def do_symlink(self, _, paths, *__):
        parent, base = self.find(paths[1])
        if parent:
            self.change(parent, {base: Node("link", 0o777, paths[0])})
        return parent is not None

    def do_mkdir(self, _, paths, __, text, ___):
        parent, base = self.find(paths[0])
        if parent:
            self.change(parent, {base: Node("dir", int(text.rsplit(" ", 1)[1], 8), {})})
        return parent is not None

    def do_unlink(self, _, paths, *__):
        parent, base = self.find(paths[0])
        if parent:
            self.change(parent, {base: None})
        return parent is not None

    do_rmdir = do_unlink

    # -- What may be left.

    def left(self, node, names, content):
        """The tree below a folder; names and content choose among what is not synced."""
        found = dict(node.safe)
        for change in node.pending:
            if names():
                for name, child in change.items():
                    if child is None:
                        found.pop(name, None)
                    else:
                        found[name] = child
        tree = {}
        for name, child in sorted(found.items()):
            if child.kind == "dir":
                tree[name] = ("dir", child.mode, self.left(child, names, content))
            else:
                tree[name] = (child.kind, child.mode, child.now if child.kind == "link"
                              else content(child))
        return tree


def torn(node):
    if node.safe == node.now:
        return node.now
    return random.choice([node.safe, b"", node.now[:random.randrange(len(node.now) + 1)],
                          bytes(len(node.now)), node.now])


def crashes(lines, home, files):
    """A list of Crash, each state once."""
    model, found = Disk(home, files), {}
    chance = [(lambda: False, lambda node: node.safe), (lambda: True, lambda node: node.safe),
              (lambda: True, lambda node: node.now)]
    chance += [(lambda: random.random() < 0.5, torn)] * 4
    for line in lines:
        call = CALL.match(line)
        if not call or int(call.group(3)) < 0 or \
                not model.call(call.group(1), call.group(2), int(call.group(3))):
            continue
        text = STRING.sub(lambda s: repr(bytes.fromhex(s.group(1).replace("\\x", ""))[-30:])[1:],
                          re.sub(r"<[^>]*>", "", line))
        for names, content in chance:
            tree = model.left(model.root, names, content)
            found.setdefault((model.sent, repr(tree)), Crash(tree, model.sent, text[:150].strip()))
    return list(found.values())
