using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ActorLlama.Kernels.Probe;

// Prints one line a kernel: its name and a hash of its results. Run with instruction sets switched off to compare.
var threads = args.Length > 0 ? int.Parse(args[0]) : 1;
Console.WriteLine($"instructions {Vector512.IsHardwareAccelerated} {Avx2.IsSupported} {Vector128.IsHardwareAccelerated}");
foreach (var (name, hash) in KernelHashes.All(threads)) Console.WriteLine($"{name} {hash}");
