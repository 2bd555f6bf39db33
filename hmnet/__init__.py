"""One encoder for many tasks: tasks, data, hierarchy, model, engine, metrics, runs.

A study is prepared (encoder identified, rows tokenised), its runs are planned as `RunSpec`s, and
jobs execute them into a store:

    from hmnet.study.hierarchy import Groups, HierarchySpec
    from hmnet.folder.outputs import open_output
    from hmnet.jobs.prepared import prepare_study
    from hmnet.study.study import load_study

    output = open_output(Path("relevance-out"))
    prepared = prepare_study(load_study(Path("study.toml")), output.data)
    job = prepared.make_job(["rte", "mrpc"], HierarchySpec(8, 2, 2), [["rte"], ["mrpc"]], seed=0)
    result = execute(job, output.runs, Machine())
"""
