#!/usr/bin/env python3
"""Carry out a mapping of modules: move, merge, split; rewrite every import, dotted name and path in the tree.

usage: restructure.py --mapping a.json [--mapping b.json ...] --root WORKTREE [--dry]
--dry: only check (collisions, private names across modules, cycles, sizes). Exit code 1 where something is wrong.
Mapping keys: modules, symbols, renames, docstrings, order, tests (path → path), files (folder or file → new place).
A rename's key "old.module:name" may name an imported local name of that module, too: it is then imported `as` the new one.
"""
import argparse, ast, json, pathlib, re, subprocess, sys, builtins
from collections import defaultdict

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("--mapping", action="append", required=True)
ap.add_argument("--root", required=True)
ap.add_argument("--dry", action="store_true")
ap.add_argument("--lenient", action="store_true", help="the tree has changed since the mapping: only note what is not there")
ap.add_argument("--force", action="store_true", help="carry it out although something is wrong")
args = ap.parse_args()
ROOT = pathlib.Path(args.root)
SOURCES = {"functions": "functions", "events": "events", "infra": "infra", "tests": ""}
problems: list[str] = []
notes: list[str] = []

MAP = {k: {} for k in ("modules", "symbols", "renames", "docstrings", "order", "tests", "files", "dissolve")}
for name in args.mapping:
    data = json.loads(pathlib.Path(name).read_text())
    for key, value in data.items():
        if key.startswith("_"):
            continue
        if key not in MAP:
            problems.append(f"{name}: unknown key {key!r}")
            continue
        for k, v in value.items():
            if k in MAP[key] and MAP[key][k] != v:
                problems.append(f"{name}: {key}[{k}] is {v!r} here and {MAP[key][k]!r} elsewhere")
            MAP[key][k] = v


def dotted_of(path: str) -> str:
    for root, base in SOURCES.items():
        if path.startswith(root + "/"):
            rel = path[len(base) + 1:] if base else path
            return rel.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    raise ValueError(path)


files = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")
files = [f for f in files if f and (ROOT / f).is_file()]
python = [f for f in files if f.endswith(".py") and f.split("/")[0] in SOURCES and "/corpus/" not in f and "baton_local/project/" not in f]
PATH = {dotted_of(f): f for f in python}
MODULES = dict(MAP["modules"])
for old, new in MAP["tests"].items():
    if old not in files:
        (notes if args.lenient else problems).append(f"tests: no file {old}")
    elif old.endswith(".py"):
        MODULES[dotted_of(old)] = dotted_of(new)
    else:
        MAP["files"][old] = new
for old in list(MODULES):
    if old not in PATH:
        (notes if args.lenient else problems).append(f"modules: no module {old}")
        if args.lenient:
            del MODULES[old]
for old in PATH:
    MODULES.setdefault(old, old)
IS_INIT = {old: PATH[old].endswith("__init__.py") for old in PATH}


class Part:
    """A top-level statement with the comments before it."""

    def __init__(self, node, start, end):
        self.node, self.start, self.end = node, start, end  # lines, 0-based, end exclusive
        self.target = None


def cited(name, m):
    old = f"{name if IS_INIT[name] else name.rpartition('.')[0]}.{m[1]}"
    if old not in PATH:
        return m[0]
    folder, _, leaf = MODULES[old].rpartition(".")
    return f"{leaf}.py" if folder == MODULES[name].rpartition(".")[0] else "/".join(MODULES[old].split(".")[1:]) + ".py"


class Module:
    def __init__(self, name):
        self.name, self.path = name, PATH[name]
        self.text = (ROOT / self.path).read_text()
        if not self.path.startswith("tests/"):  # a neighbour that a comment names by its file alone
            self.text = re.sub(r"(?<![\w/.*-])([a-z_0-9]+)\.py\b", lambda m: cited(name, m), self.text)
        self.lines = self.text.split("\n")
        self.tree = ast.parse(self.text)
        self.defs: dict[str, Part] = {}
        self.imports: dict[str, tuple] = {}  # local → (module, name or None, type_checking)
        self.parts: list[Part] = []
        self.header_end = 0
        body = self.tree.body
        self.doc = None
        previous = 0
        for i, node in enumerate(body):
            first = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])]) - 1
            start = previous
            part = Part(node, start, node.end_lineno)
            previous = node.end_lineno
            if i == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                self.doc = part
                continue
            self.parts.append(part)
            self.bind(node, part, False)
        self.tail = self.lines[previous:]
        self.stored = {n.id for n in ast.walk(self.tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.stored |= {n.arg for n in ast.walk(self.tree) if isinstance(n, ast.arg)} | set(self.defs)

    def bind(self, node, part, tc):
        if isinstance(node, ast.Import):
            for a in node.names:
                local = a.asname or a.name.split(".")[0]
                self.imports[local] = (a.name if a.asname else local, None, tc, a.asname, a.name)
        elif isinstance(node, ast.ImportFrom):
            for a in node.names:
                self.imports[a.asname or a.name] = (node.module, a.name, tc, a.asname, None)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.defs.setdefault(node.name, part)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for t in targets:
                for n in ast.walk(t):
                    if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                        self.defs.setdefault(n.id, part)
        elif hasattr(ast, "TypeAlias") and isinstance(node, ast.TypeAlias):
            self.defs.setdefault(node.name.id, part)
        elif isinstance(node, ast.If) and is_tc(node.test):
            for n in node.body:
                self.bind(n, part, True)
            for n in node.orelse:
                self.bind(n, part, False)
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For)):
            for n in ast.walk(node):
                if isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                    self.defs.setdefault(n.name, part)
                elif isinstance(n, (ast.Import, ast.ImportFrom)):
                    for a in n.names:
                        self.defs.setdefault(a.asname or a.name.split(".")[0], part)
                elif isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                    self.defs.setdefault(n.id, part)


def is_tc(test):
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def is_import(node):
    return isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.If) and is_tc(node.test) and all(isinstance(n, (ast.Import, ast.ImportFrom)) for n in node.body) and not node.orelse)


MOD = {name: Module(name) for name in PATH}
for key in list(MAP["symbols"]) + list(MAP["renames"]):
    mod, _, sym = key.partition(":")
    if mod not in MOD or (sym not in MOD[mod].defs and sym not in MOD[mod].imports):
        (notes if args.lenient else problems).append(f"no such name: {key}")

# Where each definition goes.
def target_of(mod, sym):
    return MAP["symbols"].get(f"{mod}:{sym}", MODULES[mod])


def renamed(mod, sym):
    return MAP["renames"].get(f"{mod}:{sym}", sym)


def home(mod, sym, seen=()):
    """(new module, new name) of `sym` as imported from old module `mod`; None: foreign; name None: a module."""
    if mod in MOD:
        m = MOD[mod]
        if sym in m.defs:
            return target_of(mod, sym), renamed(mod, sym)
        full = f"{mod}.{sym}"
        if full in MOD and sym not in m.imports:
            return MODULES[full], None
        if sym in m.imports and mod in MAP["dissolve"] and m.imports[sym][1]:  # a hub that goes away: names come from their homes
            return home(*m.imports[sym][:2])
        if sym in m.imports:  # re-exported by a module: stays there
            return MODULES[mod], renamed(mod, sym)
        if m.defs.get("__getattr__"):
            return MODULES[mod], sym
    elif f"{mod}.{sym}" in MOD:
        return MODULES[f"{mod}.{sym}"], None
    return None


for m in MOD.values():
    for p in m.parts:
        names = [n for n, q in m.defs.items() if q is p]
        targets = {target_of(m.name, n) for n in names} or {MODULES[m.name]}
        if len(targets) > 1:
            problems.append(f"{m.name}: one statement defines {names} for {targets}")
        p.target = targets.pop()
    for n in list(m.defs):
        if f"{m.name}:{n}" in MAP["symbols"]:
            continue

NEW = defaultdict(list)  # new module → [(old module, part)]
for name in PATH:
    for p in MOD[name].parts:
        if not is_import(p.node):
            NEW[p.target].append((name, p))
for name in PATH:  # modules of imports or a docstring only
    if MODULES[name] not in NEW:
        NEW[MODULES[name]] = []

FROM = defaultdict(list)  # new module → old modules
for new, parts in NEW.items():
    for old, _ in parts:
        if old not in FROM[new]:
            FROM[new].append(old)
for old in PATH:
    if old not in FROM[MODULES[old]] and (not any(old in v for v in FROM.values()) or IS_INIT[old]):
        FROM[MODULES[old]].append(old)


def is_moved_whole(old):
    return FROM[MODULES[old]] == [old] and all(p.target == MODULES[old] for p in MOD[old].parts if not is_import(p.node))


def free_names(node):
    for n in ast.walk(node):
        if isinstance(n, ast.Name):
            yield n.id
        elif isinstance(n, ast.Constant) and isinstance(n.value, str) and len(n.value) < 200 and re.fullmatch(r"[\w\[\], .|\"']+", n.value):
            yield from re.findall(r"[A-Za-z_]\w*", n.value)


def new_init(new):
    return any(IS_INIT[o] and MODULES[o] == new for o in PATH)


def edit(text, edits):
    """edits: (line, col, endline, endcol, replacement), 1-based lines, columns in utf-8 bytes."""
    lines = text.split("\n")
    raw = [l.encode() for l in lines]
    done = set()
    for l1, c1, l2, c2, new in sorted(edits, key=lambda e: (e[0], e[1]), reverse=True):
        if (l1, c1) in done:
            continue
        done.add((l1, c1))
        before, after = raw[l1 - 1][:c1], raw[l2 - 1][c2:]
        raw[l1 - 1:l2] = (before + new.encode() + after).split(b"\n")
    return b"\n".join(raw).decode()


def locals_of(fn):
    bound = set()
    for n in ast.walk(fn):
        if isinstance(n, ast.arg):
            bound.add(n.arg)
        elif isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
            bound.add(n.id)
        elif isinstance(n, (ast.Import, ast.ImportFrom)):
            bound.update(a.asname or a.name.split(".")[0] for a in n.names)
    return bound


class Imports:
    """The imports that a new module needs."""

    def __init__(self, new):
        self.new, self.run, self.tc = new, set(), set()

    def add(self, module, name, asname, tc):
        if module == self.new and name is not None:
            return
        (self.tc if tc else self.run).add((module, name, asname))

    def texts(self):
        tc = {t for t in self.tc if t not in self.run}
        return [one(*t) for t in sorted(self.run, key=str)], [one(*t) for t in sorted(tc, key=str)]


def one(module, name, asname):
    if name is None and asname == "":
        return f"import {module}"
    if name is None:
        if "." in module and not asname and module.split(".")[0] in ("baton", "baton_events", "baton_local", "tests"):
            package, _, leaf = module.rpartition(".")
            return f"from {package} import {leaf}"
        if asname and "." in module:
            package, _, leaf = module.rpartition(".")
            return f"from {package} import {leaf}" + (f" as {asname}" if asname != leaf else "")
        return f"import {module}" + (f" as {asname}" if asname and asname != module else "")
    return f"from {module} import {name}" + (f" as {asname}" if asname and asname != name else "")


def resolve(old, local):
    """What a top-level local name of an old module is: ('def', new, name) | ('mod', new, alias) | ('ext', module, name, asname, tc)."""
    m = MOD[old]
    if local in m.defs:
        return ("def", target_of(old, local), renamed(old, local), False)
    module, name, tc, asname, full = m.imports[local]
    alias = MAP["renames"].get(f"{old}:{local}") or asname
    if name is None:
        if full in MOD or module in MOD:
            return ("mod", MODULES.get(full, full), alias, tc)
        return ("ext", (full if not asname else module), None, alias, tc)
    if module.split(".")[0] in ("baton", "baton_events", "baton_local", "tests"):
        found = home(module, name)
        if found is None:
            problems.append(f"{old}: cannot resolve from {module} import {name}")
            return ("ext", module, name, alias, tc)
        new, new_name = found
        if new_name is None:
            if not alias and new.rpartition(".")[2] in m.stored and new.rpartition(".")[2] != local:
                alias = local
            return ("mod", new, alias, tc)
        return ("sym", new, new_name, alias, tc)
    return ("ext", module, name, alias, tc)


def rewrite(old, node, new, imports, edits, shift=0):
    """Collect imports and text edits that a node of an old module needs in its new one."""
    m = MOD[old]
    top = set(m.defs) | set(m.imports)
    leafs = {}

    def visit(n, shadow):
        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inner = shadow | (locals_of(n) & top)
            for field in ("decorator_list", "returns"):
                value = getattr(n, field, None)
                for d in (value if isinstance(value, list) else [value] if value else []):
                    visit(d, shadow)
            for a in ast.walk(n.args):
                if isinstance(a, ast.arg) and a.annotation:
                    visit(a.annotation, shadow)
            for d in [*n.args.defaults, *[d for d in n.args.kw_defaults if d]]:
                visit(d, shadow)
            for b in n.body if isinstance(n.body, list) else [n.body]:
                visit(b, inner)
            return
        if isinstance(n, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            shadow = shadow | ({x.id for x in ast.walk(n) if isinstance(x, ast.Name) and isinstance(x.ctx, ast.Store)} & top)
        if isinstance(n, ast.ImportFrom) or isinstance(n, ast.Import):
            late(n)
            return
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in top and n.value.id not in shadow:
            kind = resolve(old, n.value.id)
            if kind[0] == "mod":
                attribute(n, n.value.id, kind)
                return
        if isinstance(n, ast.Name) and n.id in top and n.id not in shadow:
            name(n)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.lineno == n.end_lineno and n.value in top and len(n.value) > 1:
            kind = resolve(old, n.value)  # an annotation in quotation marks
            need(kind, n.value)
        elif isinstance(n, ast.Constant) and isinstance(n.value, str) and re.fullmatch(r"[A-Za-z_.]+\[[\w\[\], .|]+\]|\w+( \| \w+)+", n.value):
            for word in re.findall(r"(?<![\w.])[A-Za-z_]\w*", n.value):  # one such as "Iterator[Tool | Agent]"
                if word in top:
                    need(resolve(old, word), word)
        for child in ast.iter_child_nodes(n):
            visit(child, shadow)

    def need(kind, local):
        if kind[0] == "def":
            imports.add(kind[1], kind[2], None, False)
            if kind[1] != new and kind[2].startswith("_") and not kind[2].startswith("__"):
                problems.append(f"{new} needs the private {kind[2]} of {kind[1]} (from {old})")
            return kind[2]
        if kind[0] == "sym":
            imports.add(kind[1], kind[2], kind[3], kind[4])
            if kind[1] == new:
                return kind[2]
            return kind[3] or kind[2]
        if kind[0] == "ext":
            imports.add(kind[1], kind[2], kind[3], kind[4])
            return kind[3] or kind[2] or kind[1]
        leaf = kind[1].rpartition(".")[2]
        imports.add(kind[1], None, kind[2], kind[3])
        return kind[2] or leaf

    def put(n, text, was):
        if text != was:
            edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, text))

    def name(n):
        kind = resolve(old, n.id)
        if isinstance(n.ctx, ast.Store) and kind[0] != "def":  # a field of a class that has the name of an import
            return
        if kind[0] == "ext" and kind[2] is None and "." in kind[1]:
            imports.add(kind[1], None, kind[3], kind[4])
            return
        put(n, need(kind, n.id), n.id)

    def attribute(n, local, kind):
        module = m.imports[local]
        if module[4] and not module[3] and "." in module[4]:  # `import a.b`: by hand, where a.b moves
            if MODULES.get(module[4], module[4]) != module[4]:
                problems.append(f"{old}: `import {module[4]}` has to be written by hand")
            imports.run.add((module[4], None, ""))
            return
        olds = module[4] or (f"{module[0]}.{module[1]}" if module[1] else module[0])
        if olds not in MOD:  # a package's attribute
            need(kind, local)
            return
        found = home(olds, n.attr)
        if found is None:
            need(kind, local)
            return
        where, attr = found
        if attr is None:
            need(kind, local)
            return
        if where == new:
            put(n, attr, None)
            return
        alias = kind[2] if where == kind[1] else None
        imports.add(where, None, alias, kind[3])
        put(n, f"{alias or where.rpartition('.')[2]}.{attr}", f"{local}.{n.attr}")

    def late(n):
        if isinstance(n, ast.Import):
            for a in n.names:
                if a.name in MOD and MODULES[a.name] != a.name:
                    problems.append(f"{old}:{n.lineno} late `import {a.name}` has to be written by hand")
            return
        if n.module is None or n.module.split(".")[0] not in ("baton", "baton_events", "baton_local", "tests"):
            return
        out = []
        for a in n.names:
            found = home(n.module, a.name)
            if found is None:
                problems.append(f"{old}:{n.lineno} cannot resolve from {n.module} import {a.name}")
                return
            where, new_name = found
            local = a.asname or a.name
            if new_name is None:
                out.append(one(where, None, a.asname or a.name))
            elif where == new:
                if local != new_name:
                    problems.append(f"{old}:{n.lineno} a late import of what is now in the same module, as {local}")
            else:
                out.append(one(where, new_name, local if local != new_name else None))
        same = len(out) == len(n.names) and all(o == f"from {n.module} import {a.name}" + (f" as {a.asname}" if a.asname else "") for o, a in zip(out, n.names))
        if not same:
            indent = " " * n.col_offset
            edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, f"\n{indent}".join(out) if out else "..."))
            if not out:
                notes.append(f"{old}:{n.lineno} a late import became `...`: remove it")

    visit(node, frozenset())


def compose(new):
    olds = FROM[new]
    order = MAP["order"].get(new)
    if order:
        unknown = [o for o in order if o not in olds]
        if unknown and not args.lenient:
            problems.append(f"order of {new}: not part of it: {unknown}")
        olds = [o for o in order if o in olds] + [o for o in olds if o not in order]
    imports = Imports(new)
    bodies, deps = {}, defaultdict(set)
    seen_text = {}
    for old in olds:
        m = MOD[old]
        chunk = []
        for o, p in NEW[new]:
            if o != old:
                continue
            edits = []
            rewrite(old, p.node, new, imports, edits)
            names = [n for n, q in m.defs.items() if q is p]
            if isinstance(p.node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                n = p.node
                if renamed(old, n.name) != n.name:
                    line = m.lines[n.lineno - 1].encode()
                    at = re.search(rb"(?:def|class)\s+(" + n.name.encode() + rb")\b", line)
                    edits.append((n.lineno, at.start(1), n.lineno, at.end(1), renamed(old, n.name)))
            # dependencies at import time
            for sub in ast.walk(p.node):
                if isinstance(sub, ast.Name) and (sub.id in m.imports or sub.id in m.defs):
                    kind = resolve(old, sub.id)
                    if kind[0] in ("def", "sym") and kind[1] == new:
                        for other in olds:
                            if any(target_of(other, d) == new and renamed(other, d) == kind[2] for d in MOD[other].defs) and other != old:
                                deps[old].add(other)
            whole = edit(m.text, edits)
            # the statement's lines after edits: cut by counting lines changed before and inside
            grown_before = sum(e[4].count("\n") - (e[2] - e[0]) for e in edits if e[2] - 1 < p.start)
            grown = sum(e[4].count("\n") - (e[2] - e[0]) for e in edits if e[0] - 1 >= p.start)
            text = "\n".join(whole.split("\n")[p.start + grown_before:p.end + grown_before + grown])
            key = tuple(sorted(renamed(old, n) for n in names))
            for k in key:
                for other, (o, t) in list(seen_text.items()):
                    if k in other and other != key:
                        problems.append(f"{new}: {k} is defined by {o} and {old}")
            if key and key in seen_text:
                if re.sub(r"\s+", " ", text.strip()) == re.sub(r"\s+", " ", seen_text[key][1].strip()):
                    continue
                problems.append(f"{new}: {', '.join(key)} is defined by {seen_text[key][0]} and {old}")
            if key:
                seen_text[key] = (old, text)
            chunk.append(text)
        tail = "\n".join(m.tail).rstrip()
        if tail.strip() and MODULES[old] == new:
            chunk.append(tail)
        bodies[old] = "\n".join(chunk).rstrip()
    # names bound twice: by a definition and an import, or by two imports
    bound = defaultdict(set)
    for old in olds:
        for n, p in MOD[old].defs.items():
            if p.target == new:
                bound[renamed(old, n)].add(("def", new, renamed(old, n)))
    for module, name, asname in imports.run | imports.tc:
        local = asname or name or (module.rpartition(".")[2] if module.split(".")[0] in ("baton", "baton_events", "baton_local", "tests") else module)
        bound[local].add(("imp", module, name))
    for local, origins in bound.items():
        if len(origins) > 1:
            problems.append(f"{new}: {local} means {sorted(map(str, origins))}")
    # order by what is needed at import time (only as a hint: a later part may use an earlier one in functions freely)
    done, out = set(), []

    def visit(o, path=()):
        if o in done or o in path:
            return
        for d in sorted(deps[o], key=olds.index):
            visit(d, (*path, o))
        done.add(o)
        out.append(o)

    for o in olds:
        visit(o)
    if order:
        out = olds
    doc = MAP["docstrings"].get(new)
    if doc is None:
        whole = [o for o in olds if MODULES[o] == new and MOD[o].doc]
        if len(whole) > 1:
            problems.append(f"{new}: no docstring in the mapping (made of {', '.join(whole)})")
        doc_text = "\n".join(MOD[whole[0]].lines[MOD[whole[0]].doc.start:MOD[whole[0]].doc.end]) if whole else '"""..."""'
    else:
        doc_text = '"""' + doc.strip() + ('\n"""' if "\n" in doc.strip() else '"""')
    run, tc = imports.texts()
    text = doc_text + "\n\n" + "\n".join(run) + "\n"
    if tc:
        if "from typing import TYPE_CHECKING" not in run:
            text = doc_text + "\n\n" + "\n".join([*run, "from typing import TYPE_CHECKING"]) + "\n"
        text += "\nif TYPE_CHECKING:\n" + "\n".join("    " + t for t in tc) + "\n"
    text += "\n\n" + "\n\n\n".join(b.strip("\n") for b in (bodies[o] for o in out) if b.strip()) + "\n"
    return text, imports


def in_place(old):
    """A module that is not merged: edits of imports and of names only."""
    m, new = MOD[old], MODULES[old]
    imports, edits = Imports(new), []
    for p in m.parts:
        if not is_import(p.node):
            rewrite(old, p.node, new, imports, edits)
            n = p.node
            if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and renamed(old, n.name) != n.name:
                line = m.lines[n.lineno - 1].encode()
                at = re.search(rb"(?:def|class)\s+(" + n.name.encode() + rb")\b", line)
                edits.append((n.lineno, at.start(1), n.lineno, at.end(1), renamed(old, n.name)))
    wanted = defaultdict(set)
    for module, name, asname in imports.run | imports.tc:
        wanted[(module, name)].add(asname)

    def statement(n, indent):
        if isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] in ("baton", "baton_events", "baton_local", "tests"):
            out, same = [], True
            for a in n.names:
                local = a.asname or a.name
                kind = resolve(old, local)
                if kind[0] == "sym":
                    out.append(one(kind[1], kind[2], kind[3] or (local if kind[2] != local and f"{n.module}:{a.name}" not in MAP["renames"] and kind[2] == a.name else None)))
                    same = same and kind[1] == n.module and kind[2] == a.name
                elif kind[0] == "mod":
                    # attributes may have gone to several modules
                    olds = f"{n.module}.{a.name}"
                    targets = {kind[1]}
                    used = [k for k in wanted if k[1] is None]
                    out.append(one(kind[1], None, kind[2]))
                    same = same and kind[1] == olds
                else:
                    out.append(one(n.module, a.name, a.asname))
            if not same:
                edits.append((n.lineno, n.col_offset, n.end_lineno, n.end_col_offset, f"\n{indent}".join(dict.fromkeys(out))))
            return

    covered = set()
    for p in m.parts:
        if isinstance(p.node, ast.ImportFrom):
            statement(p.node, "")
        elif isinstance(p.node, ast.If) and is_tc(p.node.test):
            for n in p.node.body:
                if isinstance(n, ast.ImportFrom):
                    statement(n, "    ")
    text = edit(m.text, edits)
    # modules that attribute rewriting needs in addition
    imports.run = {i for i in imports.run if i[2] != ""}
    have = {resolve(old, l)[1] for l in m.imports if resolve(old, l)[0] == "mod"}
    extra = [one(module, None, asname) for module, name, asname in imports.run if name is None and module in set(MODULES.values()) and module not in have]
    if extra:
        at = next(i for i, l in enumerate(text.split("\n")) if l.startswith(("import ", "from ")))
        lines = text.split("\n")
        lines[at:at] = extra
        text = "\n".join(lines)
    return text


def path_of(new):
    top = new.split(".")[0]
    base = {"baton": "functions/", "baton_events": "events/", "baton_local": "infra/", "tests": ""}[top] if top in ("baton", "baton_events", "baton_local", "tests") else None
    if base is None:
        raise ValueError(new)
    stem = base + new.replace(".", "/")
    return stem + ("/__init__.py" if new_init(new) or any(n.startswith(new + ".") for n in MODULES.values()) else ".py")


def plain(f):
    return not (f.startswith("tests/") and f.split("/")[0] == "tests" and False)


results = {}
for new in sorted(FROM):
    olds = FROM[new]
    if not olds:
        continue
    top = new.split(".")[0]
    if top not in ("baton", "baton_events", "baton_local", "tests"):
        old = olds[0]
        results[PATH[old]] = in_place(old)
        continue
    if set(olds) <= set(MAP["dissolve"]):
        results[path_of(new)] = f'"""{MAP["docstrings"].get(new, "...").strip()}"""\n'
        continue
    if len(olds) == 1 and is_moved_whole(olds[0]) and new not in MAP["docstrings"]:
        results[path_of(new)] = in_place(olds[0])
    else:
        results[path_of(new)] = compose(new)[0]

# New packages need a docstring of their own.
for f in sorted(results):
    parent = pathlib.PurePosixPath(f).parent
    while f.split("/")[0] in ("functions", "events", "infra") and len(parent.parts) > 1:
        init = f"{parent}/__init__.py"
        if init not in results and init not in PATH.values():
            package = ".".join(parent.parts[1:])
            doc = MAP["docstrings"].get(package)
            if doc is None:
                problems.append(f"new package {package}: no docstring in the mapping")
            results[init] = f'"""{(doc or "...").strip()}"""\n'
        parent = parent.parent

# Cycles among new modules, at import time.
graph = defaultdict(set)
for new in FROM:
    for old in FROM[new]:
        m = MOD[old]
        for local in m.imports:
            kind = resolve(old, local)
            if kind[0] in ("sym", "mod") and not kind[-1] and kind[1] != new:
                users = {p.target for p in m.parts if not is_import(p.node) and local in set(free_names(p.node))}
                if new in users:
                    graph[new].add(kind[1])


def cycles():
    index, low, stack, on, out, counter = {}, {}, [], set(), [], [0]
    sys.setrecursionlimit(10000)

    def go(v):
        index[v] = low[v] = counter[0]
        counter[0] += 1
        stack.append(v)
        on.add(v)
        for w in graph[v]:
            if w not in index:
                go(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            comp = []
            while True:
                w = stack.pop()
                on.discard(w)
                comp.append(w)
                if w == v:
                    break
            if len(comp) > 1:
                out.append(sorted(comp))

    for v in list(graph):
        if v not in index:
            go(v)
    return out


for c in cycles():
    if not c[0].startswith("tests"):
        inner = {a: sorted(graph[a] & set(c)) for a in c}
        problems.append(f"cycle of modules: {inner}")

# Folders' cycles are import-linter's matter. Sizes:
sizes = {n: len(t.split("\n")) for n, t in results.items() if not n.startswith("tests/") and not n.endswith("__init__.py")}
for n, s in sizes.items():
    if s > 300:
        problems.append(f"{n}: {s} lines")
folders = defaultdict(int)
for n in sizes:
    folders[n.rpartition("/")[0]] += 1
for f, k in folders.items():
    if k > 20:
        notes.append(f"{f}: {k} modules")
for part in ("functions/baton/", "infra/", "events/"):
    own = sorted(s for n, s in sizes.items() if n.startswith(part))
    if own:
        notes.append(f"{part}: {len(own)} modules, median {own[len(own) // 2]}, {sum(60 <= s <= 300 for s in own) * 100 // len(own)} % from 60 to 300, {sum(own)} lines")

problems = list(dict.fromkeys(problems))
print("\n".join(f"note: {n}" for n in notes))
print("\n".join(f"PROBLEM: {p}" for p in problems))
print(f"{len(problems)} problems")
if args.dry or (problems and not args.force):
    sys.exit(bool(problems))

# ---- carry out
for f in set(PATH.values()):
    (ROOT / f).unlink()
for new, text in results.items():
    path = ROOT / new
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
for old, new in MAP["files"].items():
    if (ROOT / old).exists():
        (ROOT / new).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / old).rename(ROOT / new)
    else:
        print(f"files: no {old}")
for old, new in ((PATH[o], path_of(MODULES[o])) for o in PATH if MODULES[o].split(".")[0] in ("baton", "baton_events", "baton_local", "tests")):
    parent = (ROOT / old).parent
    while parent != ROOT and parent.exists() and not any(parent.iterdir()):
        parent.rmdir()
        parent = parent.parent

# ---- dotted names and paths in texts
dotted = {o: n for o, n in MODULES.items() if o != n}
paths = {PATH[o]: path_of(n) for o, n in dotted.items()}
paths.update({o: n for o, n in MAP["files"].items()})
short = {}
for o, n in paths.items():
    for prefix in ("functions/baton/", "infra/baton_local/", "functions/", "infra/", "tests/"):
        if o.startswith(prefix) and n.startswith(prefix) and "/" in o[len(prefix):]:
            short[o[len(prefix):]] = n[len(prefix):]
alt_dotted = re.compile(r"(?<![\w./])(" + "|".join(sorted(map(re.escape, dotted), key=len, reverse=True)) + r")(?=[\"'`:\s,);]|\.(?:[A-Z_]|[a-z_]+\()|$)") if dotted else None
alt_path = re.compile(r"(?<![\w/])(" + "|".join(sorted(map(re.escape, [*paths, *short]), key=len, reverse=True)) + r")(?![\w/])") if paths else None
gone = {PATH[o].removesuffix("/__init__.py"): path_of(n).removesuffix("/__init__.py") for o, n in dotted.items() if IS_INIT[o] and not any(r.startswith(PATH[o].removesuffix("__init__.py")) for r in results)}
gone.update({o.removeprefix("functions/").removeprefix("infra/"): n.removeprefix("functions/").removeprefix("infra/") for o, n in gone.items() if not o.startswith("tests/")})
gone.update({o.replace("/", "."): n.replace("/", ".") for o, n in gone.items() if o.startswith(("baton/", "baton_local/"))})
alt_gone = re.compile(r"(?<![\w./-])(" + "|".join(sorted(map(re.escape, gone), key=len, reverse=True)) + r")(?![\w])") if gone else None
changed = 0
texts = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split("\n")
for f in texts:
    p = ROOT / f
    if not f or not p.is_file() or "/corpus/" in f or f in ("CHANGELOG.md", "uv.lock", "package-lock.json") or p.suffix in (".png", ".gz", ".ico"):
        continue
    try:
        text = p.read_text()
    except UnicodeDecodeError:
        continue
    now = text
    if alt_dotted:
        keep = re.compile(r"\s*(?:from|import) baton") if f.endswith(".py") else None  # imports are new already
        now = "\n".join(l if keep and keep.match(l) else alt_dotted.sub(lambda m: dotted[m[1]], l) for l in now.split("\n"))
    if alt_path:
        now = alt_path.sub(lambda m: paths.get(m[1]) or short[m[1]], now)
    if alt_gone and f != ".importlinter":
        now = alt_gone.sub(lambda m: gone[m[1]], now)
    if now != text:
        p.write_text(now)
        changed += 1
print(f"{len(results)} Python files, texts changed in {changed}")
print("now run: ruff check --select I,F401,PLC0414 --fix --quiet . ; ruff format --quiet .")
