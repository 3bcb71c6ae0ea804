// Each process test wants the machine's cores for itself.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
