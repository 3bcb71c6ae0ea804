using ActorLlama.Planning.Supervision;
using ActorLlama.Protocol;

namespace ActorLlama.Planning.Tests.Supervision;

public sealed class LossRulesTests
{
    private static readonly NodeId[] s_hosts = [Node("10.0.0.1"), Node("10.0.0.2"), Node("10.0.0.3"), Node("10.0.0.4")];

    [Fact]
    public void A_majority_declares_the_others_lost() => Assert.Equal([s_hosts[1]], LossRules.Declare(s_hosts[0], s_hosts[..3], [s_hosts[1]]).AsEnumerable());

    [Fact]
    public void Half_of_the_members_or_fewer_declare_nobody_lost_on_other_machines()
    {
        Assert.Empty(LossRules.Declare(s_hosts[0], s_hosts[..2], [s_hosts[1]]));
        Assert.Empty(LossRules.Declare(s_hosts[0], s_hosts, [s_hosts[1], s_hosts[2]]));
        Assert.Empty(LossRules.Declare(s_hosts[0], s_hosts[..3], [s_hosts[1], s_hosts[2]]));
    }

    [Fact]
    public void What_a_machine_says_of_its_own_processes_needs_no_majority()
    {
        NodeId[] members = [Node("10.0.0.1"), Node("10.0.0.1", 2), Node("10.0.0.1", 3)];
        Assert.Equal(members[1..], LossRules.Declare(members[0], members, members[1..]));
    }

    [Fact]
    public void Those_gone_on_its_own_machine_have_no_vote_on_others()
    {
        NodeId[] members = [s_hosts[0], Node("10.0.0.1", 2), s_hosts[1], s_hosts[2]];
        Assert.Equal([members[1], s_hosts[2]], LossRules.Declare(s_hosts[0], members, [members[1], s_hosts[2]]).AsEnumerable());
        Assert.Equal([members[1]], LossRules.Declare(s_hosts[0], members[..3], [members[1], s_hosts[1]]).AsEnumerable());
    }

    [Fact]
    public void Who_is_no_member_is_not_declared_lost() => Assert.Empty(LossRules.Declare(s_hosts[0], s_hosts[..3], [s_hosts[3]]));

    private static NodeId Node(string host, long uid = 1) => new($"akka.tcp://actorllama@{host}:{4052 + uid}", uid);
}
