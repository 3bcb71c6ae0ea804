namespace ActorLlama.Text;

/// <summary>How calls of custom tools are written into a prompt (spec 5.3). Builtin tools have one form of their own.</summary>
public enum ToolPromptFormat
{
    /// <summary><c>{"type": "function", "name": "f", "parameters": {"a": 1}}</c></summary>
    Json = 0,

    /// <summary><c>&lt;function=f&gt;{"a": 1}&lt;/function&gt;</c></summary>
    FunctionTag = 1,

    /// <summary><c>[f(a=1)]</c></summary>
    PythonList = 2,
}
