package acceptance

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

const sentinelFile = "../../integrations/sentinel/azuredeploy.json"

// armTemplate is what the tests look at of the template that sets Microsoft Sentinel up.
type armTemplate struct {
	Parameters map[string]struct{ Type string }
	Variables  map[string]string
	Resources  []struct {
		Type, Name, Kind string
		DependsOn        []string
		Properties       json.RawMessage
	}
}

func readSentinel(t *testing.T) (out armTemplate, text string) {
	t.Helper()
	raw, err := os.ReadFile(sentinelFile)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, string(raw)
}

// properties decodes what the one resource of a type has.
func (a *armTemplate) properties(t *testing.T, typ string, into any) {
	t.Helper()
	for _, r := range a.Resources {
		if r.Type == typ {
			if err := json.Unmarshal(r.Properties, into); err != nil {
				t.Fatalf("%s: %v", typ, err)
			}
			return
		}
	}
	t.Fatalf("the template has no %s", typ)
}

const workspaces = "Microsoft.OperationalInsights/workspaces"

func sentinelConnection(t *testing.T) (c connection) {
	t.Helper()
	template, _ := readSentinel(t)
	template.properties(t, workspaces+"/providers/dataConnectors", &c)
	return c
}

type column struct{ Name, Type string }

func names(columns []column) (out []string) {
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

// TestSentinelTemplate: what Azure would find only when it deploys. The parts name each other rightly, the stream has what the
// API answers, and the transformation makes the columns of the table.
func TestSentinelTemplate(t *testing.T) {
	template, text := readSentinel(t)
	for _, m := range regexp.MustCompile(`(parameters|variables)\('([^']+)'\)`).FindAllStringSubmatch(text, -1) {
		_, parameter := template.Parameters[m[2]]
		_, variable := template.Variables[m[2]]
		if (m[1] == "parameters" && !parameter) || (m[1] == "variables" && !variable) {
			t.Errorf("%s is not defined", m[0])
		}
	}
	for name := range template.Parameters {
		if name != "location" && !strings.Contains(text, "parameters('"+name+"')") {
			t.Errorf("the parameter %s decides nothing", name)
		}
	}
	if template.Parameters["token"].Type != "securestring" {
		t.Error("the token's parameter is no securestring: Azure would show it in the deployment's history")
	}
	types := map[string]bool{}
	for _, r := range template.Resources {
		types[r.Type] = true
	}
	for _, r := range template.Resources {
		for _, on := range r.DependsOn {
			if m := regexp.MustCompile(`resourceId\('([^']+)'`).FindStringSubmatch(on); m == nil || !types[m[1]] {
				t.Errorf("%s depends on %s, which the template does not make", r.Type, on)
			}
		}
	}

	var rule struct {
		StreamDeclarations map[string]struct{ Columns []column }
		DataFlows          []struct {
			Streams                    []string
			TransformKql, OutputStream string
		}
	}
	template.properties(t, "Microsoft.Insights/dataCollectionRules", &rule)
	var table struct{ Schema struct{ Columns []column } }
	template.properties(t, workspaces+"/tables", &table)
	stream, declared := rule.StreamDeclarations[template.Variables["stream"]]
	if !declared || !strings.HasPrefix(template.Variables["stream"], "Custom-") || !strings.HasSuffix(template.Variables["table"], "_CL") {
		t.Errorf("the stream is %s, the table %s; declared are %v", template.Variables["stream"], template.Variables["table"], rule.StreamDeclarations)
	}
	if flow := rule.DataFlows[0]; flow.Streams[0] != "[variables('stream')]" || flow.OutputStream != "[concat('Custom-', variables('table'))]" {
		t.Errorf("events flow from %v to %s", flow.Streams, flow.OutputStream)
	}
	var answered []string
	activity := reflect.TypeFor[counterfoil.Activity]()
	for i := range activity.NumField() {
		name, _, _ := strings.Cut(activity.Field(i).Tag.Get("json"), ",")
		answered = append(answered, name)
	}
	slices.Sort(answered)
	if in := slices.Sorted(slices.Values(names(stream.Columns))); !slices.Equal(in, answered) {
		t.Errorf("the stream has %v, the API answers %v", in, answered)
	}
	kql := rule.DataFlows[0].TransformKql
	var made []string
	_, project, _ := strings.Cut(kql, "| project ")
	for _, m := range regexp.MustCompile(`(?:^|, )([A-Z]\w+) = `).FindAllStringSubmatch(project, -1) {
		made = append(made, m[1])
	}
	if want := names(table.Schema.Columns); !slices.Equal(made, want) {
		t.Errorf("the transformation makes %v, the table has %v", made, want)
	}
	// Azure takes these functions alone in a transformation (Supported KQL features in Azure Monitor transformations).
	for _, m := range regexp.MustCompile(`(\w+)\(`).FindAllStringSubmatch(kql, -1) {
		if !slices.Contains([]string{"datetime_add", "make_datetime", "tolong", "todatetime", "tostring"}, m[1]) {
			t.Errorf("the transformation calls %s", m[1])
		}
	}

	c := sentinelConnection(t)
	if c.Auth.Type != "APIKey" || c.Auth.Key != "[parameters('token')]" || c.Request.Method != "POST" || !c.Request.JSON || c.Request.TimeFormat != "UnixTimestamp" ||
		!slices.Equal(c.Response.Events, []string{"$.data"}) || c.Paging.Type != "CountBasedPaging" || c.Paging.Placement != "RequestBody" || c.Paging.ZeroBased {
		t.Errorf("the connection is %+v", c)
	}
}
