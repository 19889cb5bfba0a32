import ast,pathlib,collections,sys
for base in ('functions','events','infra','tests'):
    for p in pathlib.Path(base).rglob('*.py'):
        if 'corpus' in p.parts or 'project' in p.parts: continue
        t=ast.parse(p.read_text()); c=collections.Counter()
        for n in t.body:
            if isinstance(n,(ast.FunctionDef,ast.AsyncFunctionDef,ast.ClassDef)): 
                if not any('overload' in ast.unparse(d) for d in n.decorator_list): c[n.name]+=1
            elif isinstance(n,(ast.Assign,ast.AnnAssign)):
                for t_ in (n.targets if isinstance(n,ast.Assign) else [n.target]):
                    for x in ast.walk(t_):
                        if isinstance(x,ast.Name) and isinstance(x.ctx,ast.Store): c[x.id]+=1
            elif isinstance(n,(ast.Import,ast.ImportFrom)):
                for a in n.names: c[a.asname or a.name.split('.')[0]]+=1
            elif isinstance(n,ast.TypeAlias) if hasattr(ast,'TypeAlias') else False: c[n.name.id]+=1
        d=[k for k,v in c.items() if v>1]
        if d: print(p,d)
