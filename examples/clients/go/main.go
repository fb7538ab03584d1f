// A gateway of one request, with an upstream that makes 100 tokens at a time:
//
//	gateway REQUEST_ID USER_ID INPUT_TOKENS MAX_OUTPUT_TOKENS OUTPUT_TOKENS plain|stream
//
// Prints how it ended as one line of JSON. Settings: TALLY_ADDRESS, TALLY_TOKEN, ON_UNAVAILABLE.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Outcome is how a request ended.
type Outcome struct {
	Outcome      string `json:"outcome"`
	Reason       string `json:"reason,omitempty"`
	OutputTokens int64  `json:"outputTokens,omitempty"`
	CostNanoUSD  string `json:"costNanoUsd,omitempty"`
	Record       string `json:"record,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 6 {
		return errors.New("usage: gateway REQUEST_ID USER_ID INPUT MAX_OUTPUT OUTPUT plain|stream")
	}
	var tokens [3]int64
	for i, text := range args[2:5] {
		count, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		tokens[i] = count
	}
	conn, err := grpc.NewClient(
		cmp.Or(os.Getenv("TALLY_ADDRESS"), "127.0.0.1:50051"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	if err != nil {
		return err
	}
	defer conn.Close()
	settings := DefaultSettings
	settings.AllowUnchecked = os.Getenv("ON_UNAVAILABLE") == "allow"
	outcome, err := serve(withToken(context.Background()), NewMeter(conn, settings), Request{
		ID:              args[0],
		UserID:          args[1],
		Provider:        "example",
		Model:           "example-model",
		InputTokens:     tokens[0],
		MaxOutputTokens: tokens[1],
		IsStream:        args[5] == "stream",
	}, tokens[2])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

func serve(ctx context.Context, meter *Meter, request Request, output int64) (Outcome, error) {
	metered, err := meter.Admit(ctx, request)
	var denied *DeniedError
	switch {
	case errors.As(err, &denied):
		reason := strings.TrimPrefix(denied.Answer.GetReason().String(), "QUOTA_REASON_")
		return Outcome{Outcome: "denied", Reason: reason}, nil
	case errors.Is(err, ErrUnavailable):
		return Outcome{Outcome: "unavailable"}, nil
	case err != nil:
		return Outcome{}, err
	}
	sent := output
	if request.IsStream {
		if sent, err = stream(ctx, metered, output); err != nil {
			return Outcome{}, err
		}
	}
	recorded, err := metered.Record(ctx, sent)
	if err != nil {
		return Outcome{Outcome: "unrecorded", OutputTokens: sent}, nil
	}
	outcome := "completed"
	if sent < output {
		outcome = "stopped"
	}
	return Outcome{
		Outcome:      outcome,
		OutputTokens: sent,
		CostNanoUSD:  strconv.FormatInt(recorded.GetRecord().GetCost().GetTotalNanoUsd(), 10),
		Record:       strings.TrimPrefix(recorded.GetOutcome().String(), "RECORD_OUTCOME_"),
	}, nil
}

// stream answers how many tokens were let through to the caller.
func stream(ctx context.Context, metered *Metered, output int64) (int64, error) {
	// It is recorded all the same if this fails.
	_ = metered.Start(ctx)
	var sent int64
	for sent < output {
		goOn, err := metered.Progress(ctx, sent, 100)
		if err != nil {
			return sent, err
		}
		if !goOn {
			break
		}
		sent += 100
	}
	return sent, nil
}

func withToken(ctx context.Context) context.Context {
	token := os.Getenv("TALLY_TOKEN")
	if token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}
