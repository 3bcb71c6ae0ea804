// Each cluster is several processes: one at a time.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
