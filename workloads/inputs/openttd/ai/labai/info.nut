class LabAI extends AIInfo {
    function GetAuthor()      { return "lab"; }
    function GetName()        { return "LabAI"; }
    function GetShortName()   { return "LABX"; }
    function GetDescription() { return "Plans roads between towns, over and over."; }
    function GetVersion()     { return 1; }
    function GetAPIVersion()  { return "12"; }
    function GetDate()        { return "2026-01-01"; }
    function CreateInstance() { return "LabAI"; }
}
RegisterAI(LabAI());
