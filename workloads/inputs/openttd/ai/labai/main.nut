class LabAI extends AIController {
    function Start();
    function PlanRoads(plan, history);
}

function LabAI::Start() {
    AICompany.SetName("Lab");
    AIRoad.SetCurrentRoadType(AIRoad.ROADTYPE_ROAD);
    local history = [];
    while (true) {
        local towns = AITownList();
        towns.Valuate(AITown.GetPopulation);
        towns.Sort(AIList.SORT_BY_VALUE, false);
        local plan = [];
        foreach (town, population in towns) {
            plan.append({
                id = town, population = population,
                name = AITown.GetName(town), location = AITown.GetLocation(town)
            });
            if (plan.len() > 20) break;
        }
        this.PlanRoads(plan, history);
        if (history.len() > 50) history = history.slice(25);
        AILog.Info("tick " + this.GetTick());
        this.Sleep(5);
    }
}

function LabAI::PlanRoads(plan, history) {
    for (local i = 0; i + 1 < plan.len(); i += 2) {
        local from = plan[i].location, to = plan[i + 1].location;
        local open = {};
        for (local k = 0; k < 60; k++) {
            open[from + k] <- [k, AIMap.DistanceManhattan(from, to)];
        }
        local corner = AIMap.GetTileIndex(AIMap.GetTileX(to), AIMap.GetTileY(from));
        AIRoad.BuildRoad(from, corner);
        history.append(open);
    }
}
